"""Matching by what the network predicts at the moment: SimOTA (Ge et al. 2021) and task alignment (Feng et al. 2021).

Both ask of a point how well it already classifies an object and how well its box already fits, and give each object the
points that do best. Predictions are read, nothing flows back through them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from osler.ops.matching import (
    NEGATIVE,
    Anchors,
    Boxes,
    Flags,
    Matches,
    Points,
    all_overlaps,
    assign,
    ignore_points,
    points_inside,
)

Scores = Float[Tensor, "anchors classes"]
Labels = Int[Tensor, " objects"]

FAR = 1e5  # the cost of a point that is a candidate, but not in both the object and its central square


@dataclass(frozen=True, slots=True)
class Aligned:
    """What task alignment gives: the matching, and for each positive how well it is aligned (0 elsewhere).

    `quality` is the target of the positive's class score.
    """

    matches: Matches
    quality: Float[Tensor, " anchors"]


@torch.no_grad()
def simota_match(
    points: Points,
    strides: Float[Tensor, " anchors"],
    predicted: Anchors,
    scores: Scores,
    boxes: Boxes,
    labels: Labels,
    *,
    radius: float = 2.5,
    candidates: int = 10,
    weight: float = 3.0,
    flagged: Flags | None = None,
) -> Matches:
    """Each point's object by least cost, a number of points for each object by how well it is predicted already.

    cost = cross-entropy of the class scores + `weight` * -log IoU. Candidates are points in some object or in its central
    square; those in both for the object at hand come first. An object gets as many points as the sum of its `candidates`
    greatest IoUs, floored, at least one; a point wanted by several goes to where it costs least (Ge et al. 2021, "YOLOX",
    section 2.1, with the numbers of the authors' code).

    Args:
        points: x, y in pixels, of all levels.
        strides: of each point's level; the central square reaches `radius` strides from an object's middle.
        predicted: the network's box at each point.
        scores: the network's class probabilities, in [0, 1], times objectness where it has one.
        boxes: of the objects; there may be none.
        labels: the objects' classes.
        radius: see `strides`.
        candidates: see above.
        weight: see above.
        flagged: objects that are neither to be found nor to be background.
    """
    if len(boxes) == 0 or len(points) == 0:
        return torch.full((len(points),), NEGATIVE, device=boxes.device)
    inside = points_inside(points, boxes)
    from_middle = (points[None] - ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]).abs().amax(dim=-1)
    central = from_middle < radius * strides
    real = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device) if flagged is None else ~flagged
    possible = ((inside | central) & real[:, None]).any(dim=0)
    overlaps = all_overlaps(boxes, predicted).float() * possible
    cost = _class_cost(scores, labels) - weight * (overlaps + 1e-8).log() + FAR * ~(inside & central)
    cost = cost.masked_fill(~(possible & real[:, None]), torch.inf)
    count = overlaps.topk(min(candidates, len(points)), dim=1).values.sum(dim=1).long().clamp(min=1)
    wanted = _first(cost, count, candidates) & cost.isfinite()
    return ignore_points(assign(wanted, -cost), points, boxes, flagged)


def _class_cost(scores: Scores, labels: Labels) -> Float[Tensor, "objects anchors"]:
    """Binary cross-entropy of each point's scores with each object's class, summed over the classes."""
    sure = scores.float().clamp(1e-7, 1 - 1e-7)
    against = -torch.log1p(-sure)
    return (against.sum(dim=1, keepdim=True) - against[:, labels] - sure.log()[:, labels]).T


def _first(
    cost: Float[Tensor, "objects anchors"], count: Int[Tensor, " objects"], most: int
) -> Bool[Tensor, "objects anchors"]:
    """The `count` points of least cost of each object, none of which has more than `most`."""
    order = cost.topk(min(most, cost.shape[1]), dim=1, largest=False).indices
    rank = torch.arange(order.shape[1], device=cost.device)
    return torch.zeros_like(cost, dtype=torch.bool).scatter(1, order, rank < count[:, None])


@torch.no_grad()
def task_aligned_match(
    points: Points,
    predicted: Anchors,
    scores: Scores,
    boxes: Boxes,
    labels: Labels,
    *,
    alpha: float = 1.0,
    beta: float = 6.0,
    candidates: int = 13,
    flagged: Flags | None = None,
) -> Aligned:
    """Each object takes the points inside it with the greatest t = score^alpha * IoU^beta (Feng et al. 2021, 3.2).

    A point wanted by several objects goes to the one that its box overlaps most. The quality is t scaled for each object
    so that its best point has the object's greatest IoU. Where no box overlaps an object yet, the points nearest to its
    middle are taken, at a quality of 0: they count as background until the box there meets the object.

    Args:
        points: x, y in pixels, of all levels.
        predicted: the network's box at each point.
        scores: the network's class probabilities, in [0, 1].
        boxes: of the objects; there may be none.
        labels: the objects' classes.
        alpha: how much the score counts.
        beta: how much the fit counts.
        candidates: points that an object takes at most.
        flagged: objects that are neither to be found nor to be background.
    """
    if len(boxes) == 0 or len(points) == 0:
        matches = torch.full((len(points),), NEGATIVE, device=boxes.device)
        return Aligned(matches, torch.zeros(len(points), device=boxes.device))
    overlaps = all_overlaps(boxes, predicted).float()
    aligned = scores.float()[:, labels].T ** alpha * overlaps**beta
    allowed = points_inside(points, boxes)
    if flagged is not None:
        allowed = allowed & ~flagged[:, None]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    distance = (points[None] - middle[:, None]).norm(dim=-1).float()
    rank = torch.where(aligned > 0, aligned, -distance - 1).masked_fill(~allowed, -torch.inf)
    most = torch.full_like(labels, candidates)
    wanted = _first(-rank, most, candidates) & allowed
    matches = assign(wanted, overlaps)
    quality = _quality(matches, aligned, overlaps)
    return Aligned(ignore_points(matches, points, boxes, flagged), quality)


def _quality(
    matches: Matches, aligned: Float[Tensor, "objects anchors"], overlaps: Float[Tensor, "objects anchors"]
) -> Float[Tensor, " anchors"]:
    """t over its greatest among an object's positives, times the greatest IoU among them."""
    own = matches == torch.arange(len(aligned), device=matches.device)[:, None]
    best_t = (aligned * own).amax(dim=1, keepdim=True)
    best_overlap = (overlaps * own).amax(dim=1, keepdim=True)
    return (aligned * own * best_overlap / best_t.clamp(min=torch.finfo(best_t.dtype).tiny)).sum(dim=0)
