"""Which anchor answers for which object: by intersection over union, and what every other rule of matching shares.

A matching is one whole number an anchor: the index of its object, `NEGATIVE` where it answers for background, `IGNORED`
where it answers for nothing and no loss shall see it. Objects that are flagged (a crowd in COCO, difficult in VOC) are
never matched, and what lies mostly inside them is ignored instead of negative. Indices count flagged objects too.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from osler.ops.overlap_matrices import box_iou

NEGATIVE = -1
IGNORED = -2

IN_CACHE = 4096  # anchors whose overlaps with some tens of objects are worked out at a time

Anchors = Float[Tensor, "anchors 4"]
Boxes = Float[Tensor, "objects 4"]
Flags = Bool[Tensor, " objects"]
Matches = Int[Tensor, " anchors"]
Overlaps = Float[Tensor, "objects anchors"]
Points = Float[Tensor, "anchors 2"]


@dataclass(frozen=True, slots=True)
class IouRule:
    """From which overlap on an anchor is positive, and below which it is negative.

    Attributes:
        positive: at this IoU or above an anchor belongs to the object that it overlaps most.
        negative: below this IoU with every object it is background; between the two it is ignored.
        low_quality: whether the anchors that overlap an object most are positive however little that is.
        least: background must overlap something by this much, else it is ignored.
    """

    positive: float = 0.5
    negative: float = 0.5
    low_quality: bool = False
    least: float = 0.0

    def __post_init__(self) -> None:
        """Refuses thresholds out of order."""
        if not 0 <= self.least <= self.negative <= self.positive <= 1:
            raise ValueError(
                f"An IoU rule needs 0 <= least <= negative <= positive <= 1; given: least {self.least}, "
                f"negative {self.negative}, positive {self.positive}."
            )


RPN = IouRule(0.7, 0.3, low_quality=True)  # Ren et al. 2015, section 3.1.2
HEAD = IouRule(0.5, 0.5)  # the second stage of Faster and Mask R-CNN
FAST_RCNN = IouRule(0.5, 0.5, least=0.1)  # Girshick 2015, section 2.3: what overlaps a little is the harder background
RETINANET = IouRule(0.5, 0.4, low_quality=True)  # Lin et al. 2017, section 4; low quality as in the authors' code


def max_iou_match(anchors: Anchors, boxes: Boxes, rule: IouRule = HEAD, flagged: Flags | None = None) -> Matches:
    """Each anchor's object by the IoU of the two, in any unit that both have.

    Args:
        anchors: or proposals; x1 y1 x2 y2.
        boxes: of the objects; none at all make every anchor negative.
        rule: the thresholds.
        flagged: objects that are neither to be found nor to be background.
    """
    matches = match_overlaps(all_overlaps(boxes, anchors), rule, flagged)
    return ignore_flagged(matches, anchors, boxes, flagged)


def all_overlaps(boxes: Boxes, anchors: Anchors) -> Overlaps:
    """IoU of all objects with all anchors; on a CPU by parts that stay in its cache, three times as fast for 100,000."""
    if len(anchors) == 0 or anchors.device.type != "cpu":
        return box_iou(boxes, anchors)
    return torch.cat([box_iou(boxes, part) for part in anchors.split(IN_CACHE)], dim=1)


def match_overlaps(overlaps: Overlaps, rule: IouRule = HEAD, flagged: Flags | None = None) -> Matches:
    """As `max_iou_match`, from overlaps that are known. An overlap of exactly `positive` is positive.

    With `low_quality`, all anchors that share an object's greatest overlap (above 0) become positive. Each still belongs
    to the object that it overlaps most itself, as in py-faster-rcnn: where two objects have the same best anchor, one of
    them has none.
    """
    if overlaps.numel() == 0:
        return torch.full(overlaps.shape[1:], NEGATIVE, device=overlaps.device)
    if flagged is not None:
        overlaps = overlaps.masked_fill(flagged[:, None], 0)
    best, index = overlaps.max(dim=0)
    background = torch.where((best < rule.negative) & (best >= rule.least), NEGATIVE, IGNORED)
    matches = torch.where((best >= rule.positive) & (best > 0), index, background)
    if rule.low_quality:
        top = overlaps.amax(dim=1, keepdim=True)
        matches = torch.where(((overlaps == top) & (top > 0)).any(dim=0), index, matches)
    return matches


def ignore_flagged(
    matches: Matches, anchors: Anchors, boxes: Boxes, flagged: Flags | None, share: float = 0.5
) -> Matches:
    """Negatives that lie at least by `share` of their own area inside a flagged object become ignored."""
    if flagged is None:
        return matches
    inside = mostly_inside(anchors, boxes[flagged], share)
    return matches.masked_fill((matches == NEGATIVE) & inside, IGNORED)


def ignore_points(matches: Matches, points: Points, boxes: Boxes, flagged: Flags | None) -> Matches:
    """Negatives that lie inside a flagged object become ignored."""
    if flagged is None:
        return matches
    inside = points_inside(points, boxes[flagged]).any(dim=0)
    return matches.masked_fill((matches == NEGATIVE) & inside, IGNORED)


def mostly_inside(
    anchors: Anchors, regions: Float[Tensor, "regions 4"], share: float = 0.5
) -> Bool[Tensor, " anchors"]:
    """Which anchors have at least `share` of their area inside one of the regions; never one without area."""
    low = torch.maximum(anchors[:, None, :2], regions[None, :, :2])
    high = torch.minimum(anchors[:, None, 2:], regions[None, :, 2:])
    common = (high - low).clamp(min=0).prod(dim=-1)
    area = (anchors[:, 2:] - anchors[:, :2]).prod(dim=-1)[:, None]
    return ((common >= share * area) & (area > 0)).any(dim=1)


def points_inside(points: Points, boxes: Boxes) -> Bool[Tensor, "objects anchors"]:
    """Which points lie inside which boxes, not on their edges."""
    after = points[None] > boxes[:, None, :2]
    before = points[None] < boxes[:, None, 2:]
    return (after & before).all(dim=-1)


def claimed(slots: Int[Tensor, " claims"], values: Float[Tensor, " claims"], total: int) -> Int[Tensor, " total"]:
    """For each slot, which of the claims on it has the greatest value (the first of equal ones); -1 where there is none.

    The same on every device, unlike writing to one place several times.
    """
    top = values.new_full((total,), -torch.inf).scatter_reduce(0, slots, values, "amax")
    wins = (values == top[slots]).nonzero().flatten()
    none = len(slots)
    winner = torch.full((total,), none, device=slots.device).scatter_reduce(0, slots[wins], wins, "amin")
    return winner.masked_fill(winner == none, -1)


def assign(wanted: Bool[Tensor, "objects anchors"], values: Float[Tensor, "objects anchors"]) -> Matches:
    """Each anchor to that one of the objects that want it for which its value is greatest, else negative."""
    objects, anchors = wanted.nonzero(as_tuple=True)
    winner = claimed(anchors, values[objects, anchors], wanted.shape[1])
    none = objects.new_full((1,), NEGATIVE)
    return torch.cat((objects, none))[winner]  # -1 reads the last
