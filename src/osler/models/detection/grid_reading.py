"""The answers of YOLO v1's grid: S x S cells, B boxes and C classes a cell (Redmon et al. 2016, section 2).

The cell that holds an object's middle answers for it, by that one of its boxes which overlaps it most at the moment. A box is
the middle's place in the cell, the square roots of width and height as shares of the picture, and a confidence, which is to
become the IoU with the object and 0 where there is none. All losses are squared errors (equation 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from osler.models.detection.dense_head import Answers
from osler.models.detection.kept_answers import KeepRule, keep
from osler.models.detection.matched_places import Matched
from osler.ops.box_coding import decode_yolo_grid, encode_yolo_grid
from osler.ops.box_overlap import iou
from osler.ops.cell_anchors import cell_places
from osler.ops.cell_matching import cell_match, responsible_box
from osler.ops.matching import IGNORED
from osler.structures.detections import Detections, TrueObjects

NUMBERS = 5  # x, y, root of width, root of height, confidence


@dataclass(frozen=True, slots=True)
class GridReading:
    """What the cells' numbers mean, what mistakes cost, and what is kept.

    Attributes:
        coordinate: weight of the boxes' errors (lambda_coord).
        empty: weight of the confidence of boxes that answer for nothing (lambda_noobj).
        kept: what is kept.
    """

    coordinate: float = 5.0
    empty: float = 0.5
    kept: KeepRule = field(default_factory=lambda: KeepRule(score=0.01))

    def boxes(self, answers: Answers) -> Float[Tensor, "batch cells each 5"]:
        """The numbers of every box."""
        batch, cells = answers.codes.shape[:2]
        return answers.codes.reshape(batch, cells, -1, NUMBERS)

    def decoded(self, answers: Answers) -> Float[Tensor, "batch cells each 4"]:
        """The boxes in pixels."""
        ((grid, _),) = answers.grids
        cells = cell_places((grid, grid), answers.codes.device)[:, None]
        return decode_yolo_grid(self.boxes(answers)[..., :4], cells, answers.picture, grid)

    def losses(self, answers: Answers, truths: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """The four sums of equation 3 for a picture, as means over the batch."""
        batch, ((grid, _),) = len(truths), answers.grids
        numbers, predicted = self.boxes(answers), self.decoded(answers).detach()
        matched, chosen = self.matched(answers, predicted, truths)
        box = chosen[matched.picture, matched.place].long().argmax(dim=1)
        own = numbers[matched.picture, matched.place, box]
        _, wanted = encode_yolo_grid(matched.boxes, answers.picture, grid)
        fit = iou(predicted[matched.picture, matched.place, box], matched.boxes)
        classes = answers.scores[matched.picture, matched.place]
        truth = F.one_hot(matched.labels, classes.shape[1]).float()
        idle = ~chosen & (matched.matches != IGNORED)[..., None]
        return {
            "coordinate_loss": self.coordinate * (own[:, :4] - wanted).square().sum() / batch,
            "object_loss": (own[:, 4] - fit).square().sum() / batch,
            "empty_loss": self.empty * (numbers[..., 4].square() * idle).sum() / batch,
            "class_loss": (classes - truth).square().sum() / batch,
        }

    @torch.no_grad()
    def matched(
        self, answers: Answers, predicted: Float[Tensor, "batch cells each 4"], truths: Sequence[TrueObjects]
    ) -> tuple[Matched, Bool[Tensor, "batch cells each"]]:
        """The objects that the cells answer for, and by which of their boxes."""
        (grid,) = answers.grids
        matches = [cell_match(t.boxes.float(), grid, answers.picture, t.ignored) for t in truths]
        chosen = [
            responsible_box(boxes, truth.boxes.float(), own)
            for boxes, truth, own in zip(predicted, truths, matches, strict=True)
        ]
        return Matched.of(matches, truths), torch.stack(chosen)

    @torch.no_grad()
    def detect(self, answers: Answers) -> list[Detections]:
        """What is found in each picture: each box with its confidence times its cell's classes, the surest first."""
        sure = self.boxes(answers)[..., 4:]
        shares = (answers.scores[:, :, None] * sure).clamp(0, 1).flatten(1, 2)
        boxes = self.decoded(answers).flatten(1, 2)
        per_level = (boxes.shape[1],)
        return [
            keep(s, per_level, own.__getitem__, answers.picture, self.kept)
            for s, own in zip(shares, boxes, strict=True)
        ]
