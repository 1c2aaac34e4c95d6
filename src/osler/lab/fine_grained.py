"""Fine-grained classes, which look alike: what average pooling loses and bilinear pooling keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from osler.lab.plain_training import accuracy_of, adam, fit, seeded
from osler.nn.bilinear_pooling import BilinearPool2d
from osler.nn.convolution import conv_norm_act
from osler.nn.initialisation import he_initialise

BARS = torch.stack(
    [torch.tensor([[0, 0, 0], [1, 1, 1], [0, 0, 0]]).float(), torch.eye(3)[1].expand(3, 3), torch.eye(3)]
)
CLASSES = 3


def look_alikes(
    count: int, *, noise: float = 0.3, side: int = 16, seed: int = 0
) -> tuple[Float[Tensor, "count 3 side side"], Int[Tensor, " count"]]:
    """Pictures with a lying, an upright and a slanting bar, in red, green and blue, each somewhere; and their classes.

    Every class has the same colours and the same bars; it is known only by which bar has which colour.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    images, half = torch.zeros(count, 3, side, side), side // 2
    for image, label in zip(images, labels.tolist(), strict=True):
        quarters = torch.randperm(4, generator=generator).tolist()
        for colour in range(3):
            down, right = torch.randint(half - 2, (2,), generator=generator).tolist()
            top, left = quarters[colour] // 2 * half + down, quarters[colour] % 2 * half + right
            image[colour, top : top + 3, left : left + 3] = BARS[(colour + label) % 3]
    return images + noise * torch.randn(images.shape, generator=generator), labels


@dataclass(frozen=True, slots=True)
class Accuracies:
    """Shares of right answers on held-out pictures, one for each seed."""

    average: tuple[float, ...]
    bilinear: tuple[float, ...]


def pooling_on_look_alikes(*, pictures: int = 150, epochs: int = 15, seeds: Sequence[int] = (0, 1)) -> Accuracies:
    """The same two convolutions, trained alike, under global average pooling and under bilinear pooling."""
    found = {
        bilinear: tuple(_accuracy(bilinear, pictures=pictures, epochs=epochs, seed=seed) for seed in seeds)
        for bilinear in (False, True)
    }
    return Accuracies(found[False], found[True])


def _accuracy(bilinear: bool, *, pictures: int, epochs: int, seed: int, channels: int = 16) -> float:
    pool = BilinearPool2d() if bilinear else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    features = channels**2 if bilinear else channels
    with seeded(seed):
        trunk = conv_norm_act(3, channels), conv_norm_act(channels, channels)
        network = nn.Sequential(*trunk, pool, nn.BatchNorm1d(features), nn.Linear(features, CLASSES))
        he_initialise(network)
    images, labels = look_alikes(pictures, seed=seed)
    fit(network, images, labels, epochs=epochs, batch=32, optimizer=adam(), seed=seed)
    return accuracy_of(network, *look_alikes(300, seed=seed + 1000))
