"""Anchors found in the data: k-means over the objects' widths and heights, with 1 - IoU for a distance.

Redmon and Farhadi 2017 ("YOLO9000", section 2, dimension clusters): with Euclidean distance large boxes would err more
than small ones; what an anchor is for is overlap.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.ops.cell_anchors import shape_iou

Sizes = Float[Tensor, "objects 2"]
Shapes = Float[Tensor, "shapes 2"]


@dataclass(frozen=True, slots=True)
class AnchorClusters:
    """Shapes by growing area, and how well they serve the objects they were found in.

    Attributes:
        shapes: widths and heights, in the objects' unit.
        mean_iou: of the objects with the best shape of each, both centred.
        share: of the objects to which each shape is the best.
    """

    shapes: Shapes
    mean_iou: float
    share: Float[Tensor, " shapes"]


def cluster_anchors(
    sizes: Sizes,
    count: int,
    *,
    generator: torch.Generator | None = None,
    middle: Literal["median", "mean"] = "median",
    starts: int = 5,
    rounds: int = 100,
) -> AnchorClusters:
    """The `count` shapes that overlap the objects best; the best over some starts.

    Each start is drawn as k-means++ draws it (Arthur and Vassilvitskii 2007: a new centre with a probability that grows
    with its squared distance from those there are). Then objects go to the nearest shape and shapes to the middle of
    their objects, until no object moves. Neither middle is where mean IoU is greatest, so that it may sink in a round;
    the best shapes seen are returned.

    Args:
        sizes: widths and heights, above 0.
        count: at most the number of different sizes.
        generator: makes the starts repeatable.
        middle: of a cluster's widths and heights; the median is moved less by a few large objects.
        starts: how many times to begin anew.
        rounds: of moving, at most, in each.

    Raises:
        ValueError: a size is not above 0, or there are fewer different sizes than shapes wanted.
    """
    sizes = sizes.double()
    if count < 1 or not bool(((sizes > 0) & sizes.isfinite()).all()):
        raise ValueError("Clusters of sizes need widths and heights above 0, and a count of at least 1.")
    different = len(torch.unique(sizes, dim=0))
    if different < count:
        raise ValueError(f"{different} different sizes cannot make {count} clusters; ask for {different} at most.")
    best, reached = sizes[:count], -1.0
    for _ in range(starts):
        shapes, mean = _settled(sizes, _first_shapes(sizes, count, generator), middle, rounds)
        if mean > reached:
            best, reached = shapes, mean
    best = best[best.prod(dim=1).argsort()]
    nearest = shape_iou(sizes, best).argmax(dim=1)
    return AnchorClusters(best.float(), reached, torch.bincount(nearest, minlength=count) / len(sizes))


def _first_shapes(sizes: Sizes, count: int, generator: torch.Generator | None) -> Shapes:
    where = sizes.device if generator is None else generator.device
    chosen = [int(torch.randint(len(sizes), (), generator=generator, device=where))]
    distance = torch.full_like(sizes[:, 0], torch.inf)
    while len(chosen) < count:
        distance = torch.minimum(distance, 1 - shape_iou(sizes, sizes[chosen[-1:]])[:, 0]).clamp(min=0)
        reach = distance.square().cumsum(0)  # drawn by hand: torch.multinomial ends at 2^24 objects
        point = torch.rand((), generator=generator, device=where, dtype=sizes.dtype).to(sizes.device) * reach[-1]
        chosen.append(min(int(torch.searchsorted(reach, point, right=True)), len(sizes) - 1))
    return sizes[chosen]


def _settled(sizes: Sizes, shapes: Shapes, middle: str, rounds: int) -> tuple[Shapes, float]:
    """The best shapes of the rounds, and their mean IoU."""
    best, reached = shapes, -1.0
    before: Int[Tensor, " objects"] | None = None
    for _ in range(rounds):
        overlap, nearest = shape_iou(sizes, shapes).max(dim=1)
        mean = float(overlap.mean())
        if mean > reached:
            best, reached = shapes, mean
        if before is not None and bool((nearest == before).all()):
            break
        before = nearest
        shapes = torch.stack([_middle(sizes[nearest == k], shapes[k], middle) for k in range(len(shapes))])
    return best, reached


def _middle(members: Sizes, shape: Float[Tensor, "2"], kind: str) -> Float[Tensor, "2"]:
    """The middle of a cluster's sizes; where it stands for a cluster that has lost all its objects."""
    if len(members) == 0:
        return shape
    return members.mean(dim=0) if kind == "mean" else members.median(dim=0).values
