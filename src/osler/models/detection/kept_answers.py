"""Which answers of a dense head become detections: the surest of each level or class, then those that repeat no other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.models.detection.picture_edges import cut_at_edges
from osler.ops.suppression import batched_nms
from osler.structures.detections import Detections

Shares = Float[Tensor, "places classes"]
Places = Int[Tensor, " _"]
BoxesOf = Callable[[Places], Float[Tensor, "_ 4"]]


@dataclass(frozen=True, slots=True)
class KeepRule:
    """What is kept of a picture.

    Attributes:
        score: what is less sure is dropped.
        before: the surest that enter suppression, of each level or of each class.
        by: whether `before` counts the levels' answers (RetinaNet) or the classes' (SSD).
        overlap: IoU above which the less sure of two of a class goes.
        most: objects that are kept.
    """

    score: float = 0.05
    before: int = 1000
    by: Literal["level", "class"] = "level"
    overlap: float = 0.5
    most: int = 100


@torch.no_grad()
def keep(
    shares: Shares, per_level: tuple[int, ...], boxes_of: BoxesOf, picture: tuple[int, int], rule: KeepRule
) -> Detections:
    """The detections of one picture, the surest first.

    Args:
        shares: how sure each place is of each class, in [0, 1]; a place may be several objects.
        per_level: places of each level.
        boxes_of: makes the boxes of some places, so that only those of the surest are worked out.
        picture: height and width, at which boxes are cut.
        rule: what is kept.
    """
    place, label = (shares > rule.score).nonzero(as_tuple=True)
    score = shares[place, label]
    group, groups = label, shares.shape[1]
    if rule.by == "level":
        ends = torch.tensor(per_level, device=place.device).cumsum(0)
        group, groups = torch.bucketize(place, ends, right=True), len(per_level)
    chosen = _surest(score, group, groups, rule.before)
    place, label, score = place[chosen], label[chosen], score[chosen]
    found = cut_at_edges(Detections(boxes_of(place), label, score), picture)
    return found.select(batched_nms(found.boxes, found.scores, found.labels, rule.overlap)[: rule.most])


def _surest(
    scores: Float[Tensor, " answers"], group: Int[Tensor, " answers"], groups: int, most: int
) -> Int[Tensor, " chosen"]:
    """The `most` surest of each group: sorted by group and in it by score, each knows its place in the row."""
    if len(scores) <= most:
        return torch.arange(len(scores), device=scores.device)
    order = scores.sort(descending=True, stable=True).indices
    order = order[group[order].sort(stable=True).indices]
    counts = torch.bincount(group, minlength=groups)
    starts = (counts.cumsum(0) - counts)[group[order]]
    return order[torch.arange(len(order), device=order.device) - starts < most]
