"""SSD's matching: every object first gets an anchor of its own, then every anchor that overlaps enough joins."""

import torch
from jaxtyping import Int
from torch import Tensor

from osler.ops.matching import (
    HEAD,
    Anchors,
    Boxes,
    Flags,
    IouRule,
    Matches,
    Overlaps,
    all_overlaps,
    claimed,
    ignore_flagged,
)
from osler.ops.matching import match_overlaps as by_threshold


def ssd_match(anchors: Anchors, boxes: Boxes, threshold: float = 0.5, flagged: Flags | None = None) -> Matches:
    """Each default box's object (Liu et al. 2016, section 2.2): one-to-one pairs, then all from `threshold` on.

    Of the rest all are negative; an object that no default box touches has none.

    Args:
        anchors: the default boxes, in the unit of `boxes`.
        boxes: of the objects; there may be none.
        threshold: IoU at which a default box joins the object it overlaps most.
        flagged: objects that are neither to be found nor to be background.
    """
    overlaps = all_overlaps(boxes, anchors)
    if flagged is not None:
        overlaps = overlaps.masked_fill(flagged[:, None], 0)
    matches = by_threshold(overlaps, HEAD if threshold == HEAD.positive else IouRule(threshold, threshold))
    own = best_pairs(overlaps)
    paired = (own >= 0).nonzero().flatten()
    return ignore_flagged(matches.index_copy(0, own[paired], paired), anchors, boxes, flagged)


def best_pairs(overlaps: Overlaps) -> Int[Tensor, " objects"]:
    """For each object an anchor of its own, -1 where it has none that overlaps: of all pairs the greatest overlap
    is paired, then the greatest among those left, and so on.

    Found without going pair by pair: each object asks for its best anchor, an anchor keeps the object that overlaps it
    most, and those sent away ask for their next best. Nobody is sent away by less than in the greedy order, so that both
    end alike (Gale and Shapley 1962: both sides rank a pair by the same number, so there is one stable pairing). Of equal
    overlaps the object listed first wins.
    """
    objects, anchors = overlaps.shape
    if objects == 0 or anchors == 0:
        return torch.full((objects,), -1, device=overlaps.device)
    open_ = overlaps.clone()
    value, choice = open_.max(dim=1)
    rows = torch.arange(objects, device=overlaps.device)
    while True:
        asking = (value > 0).nonzero().flatten()
        kept = claimed(choice[asking], value[asking], anchors)
        lost = asking[asking[kept[choice[asking]]] != rows[asking]]
        if lost.numel() == 0:
            return torch.where(value > 0, choice, -1)
        open_[lost, choice[lost]] = 0
        value[lost], choice[lost] = open_[lost].max(dim=1)
