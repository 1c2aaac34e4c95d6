"""Samples from a generative adversarial network as further training data: made, judged, and used, gain or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, fit, mlp, seeded
from osler.lab.small_sets import Split, digits

NOISE = 16  # numbers from which a picture is made, beside its class


@dataclass(frozen=True, slots=True)
class Generated:
    """A classifier on few digits without and with generated ones, by seed; and what the generated ones are worth."""

    without: tuple[float, ...]  # test accuracy on the real few
    with_generated: tuple[float, ...]  # on the real few and the generated
    generated_only: tuple[float, ...]
    recognised: tuple[float, ...]  # share of generated digits that a classifier on 1,000 real ones names as meant
    spread: tuple[
        float, ...
    ]  # of generated pixels about their class' mean, over that of the real ones: 0 = one picture a class

    @property
    def gain(self) -> float:
        """Mean change of accuracy. It may be negative."""
        return mean(self.with_generated) - mean(self.without)

    def verdict(self) -> str:
        """The gain in one sentence, set against how much single seeds differ."""
        gains = [b - a for a, b in zip(self.without, self.with_generated, strict=True)]
        sure = all(g > 0 for g in gains) or all(g < 0 for g in gains)
        word = "helped" if self.gain > 0 else "hurt"
        what = (
            f"Generated samples {word} by {abs(self.gain):.1%} on average"
            if sure
            else "Generated samples made no sure difference"
        )
        return f"{what} (by seed: {', '.join(f'{g:+.1%}' for g in gains)})."


def generated_samples(
    *, samples: int = 200, generated: int = 400, steps: int = 1500, seeds: Sequence[int] = (0, 1, 2)
) -> Generated:
    """A conditional GAN (Goodfellow et al. 2014; Mirza and Osindero 2014) is trained on the same few digits as the
    classifier.
    """
    rows = []
    for seed in seeds:
        data = digits(1200, seed=seed)
        few, judge = data.first(samples), data
        critic = fit(mlp(64, 64, 10, seed=seed), judge.x, judge.y, epochs=20, seed=seed)
        x, y = sample(train_generator(few, steps=steps, seed=seed), generated, seed=seed)
        sets = [(few.x, few.y), (torch.cat([few.x, x]), torch.cat([few.y, y])), (x, y)]
        scores = [_accuracy(few, *s, seed) for s in sets]
        rows.append((*scores, accuracy_of(critic, x, y), _within(x, y) / _within(few.x, few.y)))
    columns = [tuple(c) for c in zip(*rows, strict=True)]
    return Generated(*columns)


def train_generator(data: Split, *, steps: int, batch: int = 64, seed: int = 0) -> nn.Module:
    """A generator from noise and a class to 64 pixels, by alternating steps with the non-saturating loss."""
    generator, judge = (
        mlp(NOISE + 10, 128, 64, seed=seed),
        mlp(64 + 10, 128, 1, seed=seed + 1, activation=lambda: nn.LeakyReLU(0.2)),
    )
    optimizers = [torch.optim.Adam(m.parameters(), lr=1e-3, betas=(0.5, 0.999)) for m in (generator, judge)]
    real_label, fake_label = (
        torch.full((batch, 1), 0.9),
        torch.zeros(batch, 1),
    )  # one-sided smoothing: Salimans et al. 2016
    loss = functional.binary_cross_entropy_with_logits
    with seeded(seed):
        for _ in range(steps):
            rows = torch.randint(len(data), (batch,))
            classes = functional.one_hot(data.y[rows], 10).float()
            made = _make(generator, classes)
            noise = 0.1 * torch.randn(2, batch, 64)
            real = judge(torch.cat([data.x[rows] + noise[0], classes], dim=1))
            fake = judge(torch.cat([made.detach() + noise[1], classes], dim=1))
            _step(optimizers[1], loss(real, real_label) + loss(fake, fake_label))
            _step(optimizers[0], loss(judge(torch.cat([made + noise[1], classes], dim=1)), torch.ones(batch, 1)))
    return generator.eval()


def _make(generator: nn.Module, classes: Float[Tensor, "n 10"]) -> Float[Tensor, "n 64"]:
    return torch.tanh(generator(torch.cat([torch.randn(len(classes), NOISE), classes], dim=1)))


@torch.no_grad()
def sample(generator: nn.Module, count: int, *, seed: int = 0) -> tuple[Float[Tensor, "n 64"], Int[Tensor, " n"]]:
    """Pictures and the classes that they were made for, in turn 0 to 9."""
    y = torch.arange(count) % 10
    with seeded(seed):
        return _make(generator, functional.one_hot(y, 10).float()), y


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _accuracy(data: Split, x: Tensor, y: Tensor, seed: int) -> float:
    model = fit(mlp(64, 64, 10, seed=seed), x, y, epochs=-(-600 * 50 // len(x)), batch=50, seed=seed)
    return accuracy_of(model, data.x_test, data.y_test)


def _within(x: Tensor, y: Tensor) -> float:
    """The mean spread of pixels about their class' mean."""
    return mean(float((x[y == c] - x[y == c].mean(0)).square().mean().sqrt()) for c in range(10))
