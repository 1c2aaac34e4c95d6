"""Weighted box fusion: boxes of several models that mean the same object become one, instead of all but one going.

Solovyev, Wang, Gabruseva 2021, "Weighted boxes fusion: Ensembling boxes from different object detection models",
section 3. By decreasing score each box joins the fused box of its class that it overlaps most, if by more than a
threshold, else starts one; a fused box's corners are the mean of its members' by score, and its score their mean. At
the end a score is multiplied by min(T, N) / N for T members of N models: what few models saw is believed less.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.ops.overlap_matrices import box_iou


def weighted_boxes_fusion(
    boxes: Sequence[Float[Tensor, "_ 4"]],
    scores: Sequence[Float[Tensor, " _"]],
    labels: Sequence[Int[Tensor, " _"]],
    weights: Sequence[float] | None = None,
    *,
    iou_threshold: float = 0.55,
    score_threshold: float = 0.0,
) -> tuple[Float[Tensor, "fused 4"], Float[Tensor, " fused"], Int[Tensor, " fused"]]:
    """The fused boxes, their scores and labels, by decreasing score.

    Args:
        boxes: of each model, `xyxy`, in one unit.
        scores: of each model's boxes, at least 0.
        labels: of each model's boxes.
        weights: how much each model is believed, by default all the same. A score counts times its model's weight, and
            N is the sum of the weights.
        iou_threshold: above it a box joins.
        score_threshold: boxes below it take no part.

    Raises:
        ValueError: the lists differ in length, or are empty.
    """
    weights = [1.0] * len(boxes) if weights is None else list(weights)
    if not boxes or not len(boxes) == len(scores) == len(labels) == len(weights):
        given = (len(boxes), len(scores), len(labels), len(weights))
        raise ValueError(f"Boxes, scores, labels and weights have one entry for each model; given: {given}.")
    enough = [each >= score_threshold for each in scores]
    box = torch.cat([b[e] for b, e in zip(boxes, enough, strict=True)])
    score = torch.cat([s[e] * w for s, e, w in zip(scores, enough, weights, strict=True)])
    label = torch.cat([c[e] for c, e in zip(labels, enough, strict=True)])
    order = score.sort(descending=True, stable=True).indices
    box, score, label = box[order], score[order], label[order]
    parts = [
        (*_fused(box[label == each], score[label == each], iou_threshold), each) for each in label.unique().tolist()
    ]
    if not parts:
        return box, score, label
    members = torch.cat([part[2] for part in parts])
    fused = torch.cat([part[1] for part in parts]) * members.clamp(max=len(boxes)) / sum(weights)
    order = fused.sort(descending=True, stable=True).indices
    named = torch.cat([label.new_full((len(part[0]),), part[3]) for part in parts])
    return torch.cat([part[0] for part in parts])[order], fused[order], named[order]


def _fused(
    boxes: Float[Tensor, "boxes 4"], scores: Float[Tensor, " boxes"], threshold: float
) -> tuple[Float[Tensor, "fused 4"], Float[Tensor, " fused"], Float[Tensor, " fused"]]:
    """Of one class, by decreasing score: the fused boxes, the means of their scores, the numbers of their members."""
    fused, weighed = torch.zeros_like(boxes), torch.zeros_like(boxes)
    total, members, count = torch.zeros_like(scores), torch.zeros_like(scores), 0
    for box, score in zip(boxes, scores, strict=True):
        overlap = box_iou(box[None], fused[:count])[0]
        joins = count > 0 and float(overlap.max()) > threshold
        place = int(overlap.argmax()) if joins else count
        count += not joins
        weighed[place] += score * box
        total[place] += score
        members[place] += 1
        fused[place] = weighed[place] / total[place] if total[place] > 0 else box
    return fused[:count], total[:count] / members[:count], members[:count]
