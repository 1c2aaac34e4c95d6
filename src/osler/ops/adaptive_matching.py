"""ATSS: each object sets its own threshold, from how well the anchors around its middle overlap it (Zhang et al. 2020)."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from osler.ops.matching import (
    NEGATIVE,
    Anchors,
    Boxes,
    Flags,
    Matches,
    all_overlaps,
    assign,
    ignore_flagged,
    points_inside,
)


def atss_match(
    anchors: Anchors,
    per_level: Sequence[int],
    boxes: Boxes,
    *,
    candidates: int = 9,
    flagged: Flags | None = None,
) -> Matches:
    """Each anchor's object, by algorithm 1.

    From every level an object takes the `candidates` anchors whose middles are nearest to its own. Its threshold is the
    mean of their IoUs plus their standard deviation (that of a sample, as the authors compute it); positive are those
    candidates that reach it and have their middle inside the object. An anchor that several objects want goes to the one
    it overlaps most; all others are negative.

    Args:
        anchors: of all levels, one level after the other; x1 y1 x2 y2.
        per_level: how many of them each level has.
        boxes: of the objects; there may be none.
        candidates: k, an object's candidates from each level.
        flagged: objects that are neither to be found nor to be background.

    Raises:
        ValueError: the levels' numbers do not add up to the anchors.
    """
    if sum(per_level) != len(anchors):
        raise ValueError(f"The levels hold {sum(per_level)} anchors; given: {len(anchors)}.")
    if len(boxes) == 0 or len(anchors) == 0:
        return torch.full((len(anchors),), NEGATIVE, device=boxes.device)
    middles = (anchors[:, :2] + anchors[:, 2:]) / 2
    overlaps = all_overlaps(boxes, anchors)
    near = _nearest(middles, per_level, boxes, candidates)
    among = overlaps.gather(1, near)
    threshold = among.mean(dim=1) + among.std(dim=1, correction=min(1, near.shape[1] - 1))
    candidate = torch.zeros_like(overlaps, dtype=torch.bool).scatter(1, near, True)
    wanted = candidate & (overlaps >= threshold[:, None]) & points_inside(middles, boxes)
    if flagged is not None:
        wanted &= ~flagged[:, None]
    return ignore_flagged(assign(wanted, overlaps), anchors, boxes, flagged)


def _nearest(
    middles: Tensor, per_level: Sequence[int], boxes: Boxes, candidates: int
) -> Int[Tensor, "objects candidates"]:
    """From each level the anchors nearest to each object's middle; a level with fewer gives all it has."""
    distance = (middles[None] - ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]).square().sum(dim=-1)
    chosen, start = [], 0
    for count in per_level:
        nearest = distance[:, start : start + count].topk(min(candidates, count), dim=1, largest=False)
        chosen.append(nearest.indices + start)
        start += count
    return torch.cat(chosen, dim=1)
