"""Which pairs of boxes may overlap by more than a threshold: found by sorting, where all with all would be too many.

If IoU(a, b) > t, the overlap is longer than t times the side of a, and of b, along each axis. With the sides' ratio so
held between t and 1 / t, the middles of the two differ by less than

    max(1 - t, (1 - t) / 2t) * the side of a

whatever b is. So the boxes are sorted into horizontal strips by their middle, and within a strip by its x; the partners
of a box lie in a few short stretches of that order. 20,000 boxes in a picture so give a million pairs and not 200.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

SLACK = 1e-4  # of a side, by which the search is wider, since IoU and the bound are rounded; pairs too many do no harm
MOST_STRIPS = 4096  # so that the place of a box, one float64, keeps its last digits for x
APART = 1.25  # the length of a strip over that of the picture: the end of one never touches the start of the next


@dataclass(frozen=True, slots=True)
class Stretches:
    """For each stretch: the box that asks, where it starts in the order, and how many boxes it holds.

    `order` is the sorted boxes' indices. Stretches are sorted by the box that asks.
    """

    order: Int[Tensor, " boxes"]
    owner: Int[Tensor, " stretches"]
    start: Int[Tensor, " stretches"]
    count: Int[Tensor, " stretches"]

    def pairs(self) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
        """The boxes that ask and their partners; two that both ask are there twice."""
        which = repeated(self.count)
        before = self.count.cumsum(0) - self.count
        position = torch.arange(len(which), device=which.device) + (self.start - before).index_select(0, which)
        return self.owner.index_select(0, which), self.order.index_select(0, position)


def repeated(counts: Int[Tensor, " things"]) -> Int[Tensor, " total"]:
    """Each index as often as its count says; several times faster on a CPU than `torch.repeat_interleave`."""
    total = int(counts.sum())
    steps = torch.zeros(total + 1, dtype=torch.int64, device=counts.device)
    ends = counts.cumsum(0)
    steps.index_add_(0, ends, torch.ones_like(ends))
    return steps[:total].cumsum(0)


def stretches_of_partners(
    boxes: Float[Tensor, "boxes 4"], groups: Int[Tensor, " boxes"] | None, asking: int, threshold: float
) -> Stretches:
    """Where the boxes are whose IoU with each of the first `asking` may exceed the threshold, within its own group.

    A box is among its own partners.

    Args:
        boxes: at least one; finite, x1 < x2 and y1 < y2.
        groups: from 0 on.
        threshold: at least 0.
    """
    middle, reach = _middles_and_reaches(boxes.double(), threshold)
    span = middle.amax(0)  # from 0
    height = torch.maximum(2 * reach[:, 1].mean(), span[1] / MOST_STRIPS).clamp(min=1e-300)
    strips = (span[1] / height).floor() + 1
    pitch = torch.where(span[0] > 0, APART * span[0], 1.0)
    floor = torch.zeros_like(middle[:, 0]) if groups is None else groups.double() * strips
    place = (floor + (middle[:, 1] / height).floor()) * pitch + middle[:, 0]
    place, order = place.sort()
    margin = 8 * torch.finfo(torch.float64).eps * place[-1]
    low, high = (middle - reach)[:asking], (middle + reach)[:asking]
    first = (low[:, 1] / height).floor().clamp(min=0)
    last = torch.minimum((high[:, 1] / height).floor(), strips - 1)
    visits = (last - first).long() + 1
    owner = repeated(visits)
    nth = torch.arange(len(owner), device=owner.device) - (visits.cumsum(0) - visits).index_select(0, owner)
    strip = ((floor[:asking] + first).index_select(0, owner) + nth) * pitch
    left, right = low[:, 0].clamp(min=0) - margin, torch.minimum(high[:, 0], span[0]) + margin
    start = torch.searchsorted(place, strip + left.index_select(0, owner))
    end = torch.searchsorted(place, strip + right.index_select(0, owner), right=True)
    return Stretches(order, owner, start, end - start)


def _middles_and_reaches(
    boxes: Float[Tensor, "boxes 4"], threshold: float
) -> tuple[Float[Tensor, "boxes 2"], Float[Tensor, "boxes 2"]]:
    """The middles, from the leftmost and the topmost on; and how far from them a partner's may be."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = boxes[:, 2:] - boxes[:, :2]
    touching = (side + side.amax(0)) / 2  # nobody is farther who overlaps at all
    factor = max(1 - threshold, (1 - threshold) / (2 * threshold)) if threshold > 0 else float("inf")
    reach = torch.minimum(factor * side, touching) + SLACK * side
    return middle - middle.amin(0), reach
