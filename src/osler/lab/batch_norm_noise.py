"""Batch norm as a regulariser: the noise of the batch in training, and the gap with and without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from torch import nn

from osler.lab.plain_training import accuracy_of, fit, loss_of, mlp, seeded
from osler.lab.small_sets import digits


@dataclass(frozen=True, slots=True)
class BatchNoise:
    """How much a picture's outputs vary with the company that it is normalised in."""

    batch: int
    training: float  # root mean square over pictures and units, outputs having variance 1
    evaluation: float


@torch.no_grad()
def batch_noise(batches: Sequence[int] = (4, 16, 64, 256), *, draws: int = 100, seed: int = 0) -> list[BatchNoise]:
    """The same 3 digits in random batches through a linear layer and batch norm. It falls like 1 / sqrt(batch)."""
    data = digits(1200, seed=seed)
    layer = mlp(64, 32, seed=seed)
    norm = nn.BatchNorm1d(32, affine=False, momentum=None)
    norm.train()(layer(data.x))
    guests = data.x_test[:3]
    rows = []
    for batch in batches:
        spreads = []
        for training in (True, False):
            with seeded(seed):
                company = [torch.randint(len(data.x), (batch - 3,)) for _ in range(draws)]
            kept = {k: v.clone() for k, v in norm.state_dict().items()}
            norm.train(training)
            outputs = torch.stack([norm(layer(torch.cat([guests, data.x[c]])))[:3] for c in company])
            norm.load_state_dict(kept)
            spreads.append(float(outputs.var(0).mean().sqrt()))
        rows.append(BatchNoise(batch, spreads[0], spreads[1]))
    return rows


@dataclass(frozen=True, slots=True)
class NormGap:
    """Training against held-out digits for one network, means over seeds."""

    name: str
    train_accuracy: float
    test_accuracy: float
    train_loss: float
    test_loss: float

    @property
    def gap(self) -> float:
        """Test loss minus training loss."""
        return self.test_loss - self.train_loss


def gap_with_and_without(
    *, samples: int = 200, batch: int = 8, epochs: int = 40, seeds: Sequence[int] = (0, 1, 2)
) -> dict[str, NormGap]:
    """The same network without batch norm, with it in small batches (much noise), and in one batch (little noise)."""
    ways = {"none": (False, batch), "small batches": (True, batch), "one batch": (True, samples)}
    found = {}
    for name, (normed, size) in ways.items():
        numbers = []
        for seed in seeds:
            data = digits(samples, seed=seed)
            model = mlp(64, 64, 64, 10, batch_norm=normed, seed=seed)
            steps = epochs * samples // batch
            fit(model, data.x, data.y, epochs=steps * size // samples, batch=size, seed=seed)
            numbers.append(
                (
                    accuracy_of(model, data.x, data.y),
                    accuracy_of(model, data.x_test, data.y_test),
                    loss_of(model, data.x, data.y),
                    loss_of(model, data.x_test, data.y_test),
                )
            )
        found[name] = NormGap(name, *(mean(column) for column in zip(*numbers, strict=True)))
    return found
