"""Dense answers read without anchors: a point gives the distances to an object's four sides, in strides of its level.

Which points answer for an object follows from how well they already do: by task alignment (Feng et al. 2021, "TOOD") or by
SimOTA (Ge et al. 2021, "YOLOX"). A positive's score is to become its quality and not 1, so that the surest detections
are also the best placed, and the boxes' losses are weighed by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from osler.models.detection.dense_head import Answers
from osler.models.detection.kept_answers import KeepRule, keep
from osler.models.detection.matched_places import Matched
from osler.ops.anchors import Grid
from osler.ops.box_coding import LARGEST_LOG, decode_distances
from osler.ops.box_overlap import ciou, giou, iou
from osler.ops.cell_anchors import cell_points
from osler.ops.dynamic_matching import simota_match, task_aligned_match
from osler.ops.matching import IGNORED
from osler.structures.detections import Detections, TrueObjects

Matching = Literal["task_aligned", "simota"]
BoxLoss = Literal["giou", "ciou"]
MEASURES = {"giou": giou, "ciou": ciou}


@dataclass(frozen=True, slots=True)
class Places:
    """Of each point its x, y in pixels, and its level's stride."""

    points: Float[Tensor, "places 2"]
    stride: Float[Tensor, "places 1"]

    def decoded(self, codes: Float[Tensor, "*batch 4"], rows: Tensor | slice = slice(None)) -> Tensor:
        """The boxes of the codes of those points; a code is the logarithm of a distance in strides, so 0 is one stride."""
        distances = codes.clamp(max=LARGEST_LOG).exp() * self.stride[rows]
        return decode_distances(distances, self.points[rows])


@dataclass(frozen=True, slots=True)
class PointReading:
    """Which points answer for which objects, what mistakes cost, and what is kept.

    Attributes:
        strides: of the levels, finest first.
        matching: how points are found for objects.
        box_loss: what is taken from 1 for the loss of a box.
        box_weight: of the boxes' loss against the scores'.
        kept: what is kept; 0.6 is TOOD's overlap (its code's configuration).
    """

    strides: tuple[int, ...]
    matching: Matching = "task_aligned"
    box_loss: BoxLoss = "giou"
    box_weight: float = 2.5
    kept: KeepRule = field(default_factory=lambda: KeepRule(score=0.01, overlap=0.6))

    def places(self, grids: Sequence[Grid], device: torch.device) -> Places:
        """Where the points lie: in the middle of each cell."""
        points = [cell_points(grid, stride, device) for grid, stride in zip(grids, self.strides, strict=True)]
        steps = [torch.full((len(p), 1), float(s), device=device) for p, s in zip(points, self.strides, strict=True)]
        return Places(torch.cat(points), torch.cat(steps))

    def losses(self, answers: Answers, truths: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """Cross-entropy of the scores with the qualities, 1 - GIoU or CIoU of the positives' boxes.

        Both are divided by the sum of the qualities, at least 1.
        """
        places = self.places(answers.grids, answers.scores.device)
        predicted = places.decoded(answers.codes)
        matched, quality = self.matched(answers, predicted.detach(), places, truths)
        own = quality[matched.picture, matched.place]
        wanted = torch.zeros_like(answers.scores)
        wanted[matched.picture, matched.place, matched.labels] = own
        scores = F.binary_cross_entropy_with_logits(answers.scores, wanted, reduction="none")
        seen = (matched.matches != IGNORED)[..., None]
        apart = 1 - MEASURES[self.box_loss](predicted[matched.picture, matched.place], matched.boxes)
        total = own.sum().clamp(min=1)
        return {
            "class_loss": (scores * seen).sum() / total,
            "box_loss": self.box_weight * (apart * own).sum() / total,
        }

    @torch.no_grad()
    def matched(
        self,
        answers: Answers,
        predicted: Float[Tensor, "batch places 4"],
        places: Places,
        truths: Sequence[TrueObjects],
    ) -> tuple[Matched, Float[Tensor, "batch places"]]:
        """The objects that the points answer for, and how well each does: what its score is to become."""
        shares = answers.scores.sigmoid()
        matches, qualities = [], []
        for boxes, scores, truth in zip(predicted, shares, truths, strict=True):
            given = (boxes, scores, truth.boxes.float(), truth.labels)
            if self.matching == "simota":
                stride = places.stride.squeeze(1)
                found = simota_match(places.points, stride, *given, flagged=truth.ignored)
                quality = _overlap_with_own(found, boxes, truth.boxes.float())
            else:
                aligned = task_aligned_match(places.points, *given, flagged=truth.ignored)
                found, quality = aligned.matches, aligned.quality
            matches.append(found)
            qualities.append(quality)
        return Matched.of(matches, truths), torch.stack(qualities)

    @torch.no_grad()
    def detect(self, answers: Answers) -> list[Detections]:
        """What is found in each picture, the surest first."""
        places = self.places(answers.grids, answers.scores.device)
        found = []
        for shares, codes in zip(answers.scores.sigmoid(), answers.codes, strict=True):

            def boxes_of(rows: Tensor, codes: Tensor = codes) -> Tensor:
                return places.decoded(codes[rows], rows)

            found.append(keep(shares, answers.per_level, boxes_of, answers.picture, self.kept))
        return found


def _overlap_with_own(matches: Tensor, predicted: Tensor, boxes: Tensor) -> Float[Tensor, " places"]:
    quality = predicted.new_zeros(len(predicted))
    own = (matches >= 0).nonzero().flatten()
    quality[own] = iou(predicted[own], boxes[matches[own]])
    return quality
