"""Non-maximum suppression: of boxes that overlap, the best stays.

Boxes go by decreasing score; each that is left removes all later ones whose IoU with it exceeds the threshold. What
that loop keeps is found here without a loop over boxes: the pairs that overlap come from a sorted order
(`overlap_pairs`), for as many of the best boxes at once as give a bounded number of pairs; these are settled in rounds
(a box that nobody undecided can remove stays, and removes); what they remove takes no part in what follows.
"""

from typing import cast

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from osler.ops.greedy_start import greedy_start
from osler.ops.overlap_pairs import SLACK, stretches_of_partners

Boxes = Float[Tensor, "boxes 4"]
Scores = Float[Tensor, " boxes"]
Groups = Int[Tensor, " boxes"]

FIRST = 128  # boxes to begin with: where all overlap, they remove nearly all others
PAIRS_AT_ONCE = 1 << 18  # a few arrays of 2 MB each
GROWTH = 4


def nms(boxes: Boxes, scores: Scores, iou_threshold: float) -> Int[Tensor, " kept"]:
    """The indices of the boxes that stay, by decreasing score; of equal scores the first in the list is the better.

    Args:
        boxes: `xyxy`, in any unit. A box without area, or with a coordinate that is not finite, overlaps nothing.
        scores: one a box.
        iou_threshold: in [0, 1]; boxes whose IoU with a better one is larger go, at exactly the threshold they stay.

    Raises:
        ValueError: the shapes do not fit, or the threshold is outside its range.
    """
    _check(boxes, scores, iou_threshold)
    if torch.compiler.is_exporting():
        from osler.ops.graph_nodes import nms_node

        return cast(Tensor, nms_node(boxes, scores, iou_threshold))
    return _kept(boxes, scores, None, iou_threshold)


def batched_nms(boxes: Boxes, scores: Scores, idxs: Groups, iou_threshold: float) -> Int[Tensor, " kept"]:
    """As `nms`, where only boxes of the same group remove each other; all groups together by decreasing score.

    Args:
        boxes: `xyxy`, of either sign.
        scores: one a box.
        idxs: the group of each box: its class, its picture, its level of a pyramid.
        iou_threshold: in [0, 1].

    Raises:
        ValueError: the shapes do not fit, or the threshold is outside its range.
    """
    _check(boxes, scores, iou_threshold)
    if idxs.shape != scores.shape:
        raise ValueError(f"Each of the {len(scores)} boxes has one group in idxs; given: {tuple(idxs.shape)}.")
    if torch.compiler.is_exporting():
        from osler.ops.graph_nodes import apart, nms_node

        return cast(Tensor, nms_node(apart(boxes, idxs), scores, iou_threshold))
    return _kept(boxes, scores, idxs, iou_threshold)


def _check(boxes: Shaped[Tensor, "..."], scores: Shaped[Tensor, "..."], threshold: float) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"Boxes have the shape [number, 4]; given: {tuple(boxes.shape)}.")
    if scores.shape != boxes.shape[:1]:
        raise ValueError(f"Each of the {len(boxes)} boxes has one score; given: {tuple(scores.shape)}.")
    if not 0 <= threshold <= 1:
        raise ValueError(f"iou_threshold is from 0 to 1; given: {threshold}.")


@torch.no_grad()
def _kept(boxes: Boxes, scores: Scores, groups: Groups | None, threshold: float) -> Int[Tensor, " kept"]:
    if boxes.device.type == "mps":  # which has no float64, the type of a box's place in the order
        there = None if groups is None else groups.cpu()
        return _kept(boxes.cpu(), scores.cpu(), there, threshold).to(boxes.device)
    order = scores.detach().sort(descending=True, stable=True).indices
    boxes = boxes.detach().index_select(0, order)
    boxes = boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()
    if groups is not None:
        groups = torch.unique(groups.index_select(0, order), return_inverse=True)[1]
    stays = torch.ones(len(order), dtype=torch.bool, device=order.device)
    sound = torch.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    open_, head = sound.nonzero().flatten(), FIRST
    if order.device.type == "cpu" and len(open_):
        open_ = _started(boxes, groups, open_, stays, threshold)
    while len(open_):
        among = None if groups is None else groups.index_select(0, open_)
        head = min(head, len(open_))
        removed, pairs = _settled(boxes.index_select(0, open_), among, head, threshold)
        stays[open_[removed]] = False
        open_ = open_[head:][~removed[head:]]
        head = min(GROWTH * head, max(1, head * PAIRS_AT_ONCE // pairs))
    return order[stays]


def _started(
    boxes: Boxes, groups: Groups | None, open_: Int[Tensor, " open"], stays: Bool[Tensor, " boxes"], threshold: float
) -> Int[Tensor, " left"]:
    """What the plain loop leaves open; what it removes is struck from `stays`."""
    among = None if groups is None else groups.index_select(0, open_).numpy()
    removed, left = greedy_start(boxes.index_select(0, open_).numpy(), among, threshold)
    stays[open_[torch.from_numpy(removed)]] = False
    return open_[torch.from_numpy(left)]


def _settled(boxes: Boxes, groups: Groups | None, head: int, threshold: float) -> tuple[Bool[Tensor, " boxes"], int]:
    """Which of all boxes the first `head` remove, themselves decided; and how many pairs that took."""
    better, worse = stretches_of_partners(boxes, groups, head, threshold).pairs()
    tried = len(better)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    better, worse = _where((worse > better) & _alike(areas, better, worse, threshold), better, worse)
    better, worse = _where(_overlap_more(boxes, areas, better, worse, threshold), better, worse)
    removed = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    inner = worse < head
    a, b = _where(inner, better, worse)
    while len(a):
        threatened = torch.zeros(head, dtype=torch.bool, device=boxes.device)
        threatened[b] = True
        certain = ~threatened.index_select(0, a)
        removed[b[certain]] = True
        gone = removed.index_select(0, a) | removed.index_select(0, b)
        a, b = _where(~(certain | gone), a, b)
    better, worse = _where(~inner, better, worse)
    removed[worse[~removed.index_select(0, better)]] = True
    return removed, tried


def _where(mask: Bool[Tensor, " pairs"], a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    chosen = mask.nonzero().flatten()
    return a.index_select(0, chosen), b.index_select(0, chosen)


def _alike(
    areas: Scores, a: Int[Tensor, " pairs"], b: Int[Tensor, " pairs"], threshold: float
) -> Bool[Tensor, " pairs"]:
    """Whether the areas let IoU exceed the threshold: it is at most the smaller over the larger. Half the price of IoU."""
    first, second = areas.index_select(0, a), areas.index_select(0, b)
    return torch.minimum(first, second) >= torch.maximum(first, second).mul_((1 - SLACK) * threshold)


def _overlap_more(
    boxes: Boxes, areas: Scores, a: Int[Tensor, " pairs"], b: Int[Tensor, " pairs"], threshold: float
) -> Bool[Tensor, " pairs"]:
    """Whether IoU exceeds the threshold, each step rounded as in the plain loop, so that no close call differs."""
    columns = boxes.t().contiguous()
    width, height = (
        (
            torch.minimum(columns[axis + 2].index_select(0, a), columns[axis + 2].index_select(0, b))
            - torch.maximum(columns[axis].index_select(0, a), columns[axis].index_select(0, b))
        ).clamp_(min=0)
        for axis in (0, 1)
    )
    shared = width.mul_(height)
    union = areas.index_select(0, a).add_(areas.index_select(0, b)).sub_(shared)
    return shared.div_(union) > threshold
