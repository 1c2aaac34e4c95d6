"""What convolution assumes of its input: that what matters may lie anywhere, and that neighbours belong together.

Where both hold, a convolutional network needs fewer weights and fewer examples than a fully connected one; where
neighbours mean nothing, its advantage is gone (Goodfellow, Bengio, Courville 2016, sections 9.2 and 9.4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.layer_claims import scattered
from osler.lab.plain_training import accuracy_of, fit, mlp, seeded
from osler.lab.small_sets import digits

Pictures = Float[Tensor, "batch 1 side side"]
SHUFFLE = 0  # seed of the pixels' other order
TEST = 1000  # held-out digits: differences of a few points must be seen


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of network: its weights, and its accuracy on held-out digits under two conditions, means over seeds."""

    name: str
    parameters: int
    before: float
    after: float

    @property
    def lost(self) -> float:
        """Accuracy lost by the condition."""
        return self.before - self.after


def convolutional(side: int, *, seed: int = 0) -> nn.Sequential:
    """Two 3x3 convolutions with pooling behind them, and one linear layer."""
    with seeded(seed):
        first = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        second = nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, 10))


def connected(side: int, *, seed: int = 0) -> nn.Sequential:
    """One hidden layer of 128 units over all pixels."""
    return nn.Sequential(nn.Flatten(), *mlp(side * side, 128, 10, seed=seed))


NETWORKS: dict[str, Callable[..., nn.Sequential]] = {"convolutional": convolutional, "fully connected": connected}


def shifted_digits(
    *, samples: int = 600, side: int = 16, epochs: int = 20, seeds: Sequence[int] = (0, 1)
) -> dict[str, Kind]:
    """Digits in the middle of a larger picture (`before`), and at a random place of it (`after`), by kind of network."""

    def centred(x: Float[Tensor, "batch 64"], _seed: int) -> Pictures:
        edge = (side - 8) // 2
        return nn.functional.pad(x.view(-1, 1, 8, 8), [edge, side - 8 - edge] * 2, value=-1.0)

    def anywhere(x: Float[Tensor, "batch 64"], seed: int) -> Pictures:
        return scattered(x, side=side, seed=seed)

    return _compare(centred, anywhere, samples, side, epochs, seeds)


def shuffled_pixels(*, samples: int = 400, epochs: int = 20, seeds: Sequence[int] = (0, 1, 2)) -> dict[str, Kind]:
    """Digits as they are (`before`), and with their pixels in another order, the same for all (`after`)."""

    def plain(x: Float[Tensor, "batch 64"], _seed: int) -> Pictures:
        return x.view(-1, 1, 8, 8)

    def shuffled(x: Float[Tensor, "batch 64"], _seed: int) -> Pictures:
        order = torch.randperm(64, generator=torch.Generator().manual_seed(SHUFFLE))
        return x[:, order].view(-1, 1, 8, 8)

    return _compare(plain, shuffled, samples, 8, epochs, seeds)


def _compare(
    before: Callable[[Tensor, int], Tensor],
    after: Callable[[Tensor, int], Tensor],
    samples: int,
    side: int,
    epochs: int,
    seeds: Sequence[int],
) -> dict[str, Kind]:
    kinds = {}
    for name, make in NETWORKS.items():
        scores = [[_score(make, arrange, samples, side, epochs, seed) for seed in seeds] for arrange in (before, after)]
        parameters = sum(p.numel() for p in make(side).parameters())
        kinds[name] = Kind(name, parameters, mean(scores[0]), mean(scores[1]))
    return kinds


def _score(
    make: Callable[..., nn.Sequential],
    arrange: Callable[[Tensor, int], Tensor],
    samples: int,
    side: int,
    epochs: int,
    seed: int,
) -> float:
    data = digits(samples, test=TEST, seed=seed)
    model = fit(make(side, seed=seed), arrange(data.x, seed), data.y, epochs=epochs, batch=32, seed=seed)
    return accuracy_of(model, arrange(data.x_test, seed + 100), data.y_test)
