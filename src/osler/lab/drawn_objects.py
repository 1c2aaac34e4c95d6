"""Small pictures with drawn squares and discs: what a detector can learn in seconds."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from osler.structures.detections import TrueObjects

CLASSES = 2  # squares, discs
SIDE = 64  # pixels
NOISE, BRIGHT = 0.1, 2.0


def truth(*rows: Sequence[float], ignored: Sequence[int] = ()) -> TrueObjects:
    """Objects by x1, y1, x2, y2 and class; those at the places `ignored` count for nothing."""
    numbers = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    flags = torch.zeros(len(rows), dtype=torch.bool)
    flags[list(ignored)] = True
    return TrueObjects(numbers[:, :4].contiguous(), numbers[:, 4].long(), flags)


def drawn_pictures(
    pictures: int = 4,
    objects: int = 2,
    *,
    side: int = SIDE,
    sizes: tuple[int, int] | None = None,
    seed: int = 0,
) -> tuple[Float[Tensor, "pictures 3 side side"], list[TrueObjects]]:
    """Noise, and one object in each of as many vertical strips, so that none covers another.

    Args:
        pictures: how many.
        objects: in each.
        side: of a picture, in pixels.
        sizes: least and greatest side of an object; None: from half a strip to nearly all of it.
        seed: of everything that is drawn.
    """
    rng = torch.Generator().manual_seed(seed)
    images = NOISE * torch.randn(pictures, 3, side, side, generator=rng)
    strip = side // objects
    low, high = sizes or (strip // 2, strip - 3)
    truths = []
    for image in images:
        rows = []
        for place in range(objects):
            size = _whole(low, high, rng)
            x, y = place * strip + _whole(0, strip - size - 1, rng), _whole(0, side - size - 1, rng)
            label = _whole(0, CLASSES - 1, rng)
            image[label][_inside(side, x, y, size, round_=label == 1)] += BRIGHT
            rows.append((x, y, x + size, y + size, label))
        truths.append(truth(*rows))
    return images, truths


def _whole(low: int, high: int, rng: torch.Generator) -> int:
    return int(torch.randint(low, high + 1, (), generator=rng))


def _inside(side: int, left: int, top: int, size: int, *, round_: bool) -> Bool[Tensor, "side side"]:
    """The pixels whose middles lie in the object."""
    y, x = torch.meshgrid(torch.arange(side) + 0.5, torch.arange(side) + 0.5, indexing="ij")
    across, down = (x - left - size / 2).abs(), (y - top - size / 2).abs()
    if round_:
        return across**2 + down**2 < (size / 2) ** 2
    return torch.maximum(across, down) < size / 2
