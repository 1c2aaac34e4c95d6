"""Dense answers read as YOLO v3's (Redmon and Farhadi 2018, "YOLOv3: an incremental improvement", sections 2.1 to 2.3).

The cell that holds an object's middle answers for it, by the one anchor whose shape fits it best; whether there is an
object at all is a question of its own, and each class is a yes or no. The middle's place in its cell is learnt by
cross-entropy and the logarithms of the sizes by half the squared error, whose gradients are both what the paper says:
truth minus prediction. Small boxes weigh up to twice as much, as in the authors' code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from osler.models.detection.dense_head import Answers
from osler.models.detection.kept_answers import KeepRule, keep
from osler.models.detection.matched_places import Matched
from osler.ops.anchors import Grid
from osler.ops.box_coding import decode_yolo_anchors, encode_yolo_anchors
from osler.ops.box_overlap import area
from osler.ops.cell_anchors import CellAnchors, cell_places
from osler.ops.cell_matching import best_anchor_match
from osler.ops.matching import IGNORED
from osler.structures.detections import Detections, TrueObjects

NUMBERS = 5  # four of the box, and whether there is an object


@dataclass(frozen=True, slots=True)
class Cells:
    """Of each anchor its cell (column, row), its width and height in pixels, and its level's stride."""

    place: Int[Tensor, "anchors 2"]
    size: Float[Tensor, "anchors 2"]
    stride: Float[Tensor, "anchors 1"]

    def decoded(self, codes: Float[Tensor, "anchors 4"], rows: Tensor | slice = slice(None)) -> Tensor:
        """The boxes of those anchors' codes, in pixels."""
        return decode_yolo_anchors(codes[rows], self.place[rows], self.size[rows], self.stride[rows])


@dataclass(frozen=True, slots=True)
class CellReading:
    """Which anchors answer for which objects, what mistakes cost, and what is kept.

    Attributes:
        layout: the anchors' shapes and the strides.
        ignore: a box that overlaps an object by more is no background, though another answers for the object.
        kept: what is kept.
    """

    layout: CellAnchors
    ignore: float = 0.5
    kept: KeepRule = field(default_factory=lambda: KeepRule(score=0.01))

    def cells(self, grids: Sequence[Grid], device: torch.device) -> Cells:
        """Where the anchors lie: level by level, cell by cell, shape by shape."""
        each = self.layout.per_position
        place, size, stride = [], [], []
        for grid, shapes, step in zip(grids, self.layout.shapes, self.layout.strides, strict=True):
            cells = cell_places(grid, device)
            place.append(cells.repeat_interleave(each, dim=0))
            size.append(torch.tensor(shapes, dtype=torch.float32, device=device).repeat(len(cells), 1))
            stride.append(torch.full((len(cells) * each, 1), float(step), device=device))
        return Cells(torch.cat(place), torch.cat(size), torch.cat(stride))

    def losses(self, answers: Answers, truths: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """Boxes, objectness and classes, each summed and divided by the number of objects that are answered for."""
        cells = self.cells(answers.grids, answers.scores.device)
        matched = self.matched(answers, cells, truths)
        codes = answers.codes[matched.picture, matched.place]
        sure = answers.codes[..., 4]
        is_object = (matched.matches >= 0).float()
        objectness = F.binary_cross_entropy_with_logits(sure, is_object, reduction="none")
        scores = answers.scores[matched.picture, matched.place]
        classes = F.one_hot(matched.labels, scores.shape[1]).float()
        objects = max(1, len(matched.place))
        return {
            "box_loss": self._moves(codes[:, :4], cells, matched, answers.picture).sum() / objects,
            "object_loss": (objectness * (matched.matches != IGNORED)).sum() / objects,
            "class_loss": F.binary_cross_entropy_with_logits(scores, classes, reduction="sum") / objects,
        }

    @torch.no_grad()
    def matched(self, answers: Answers, cells: Cells, truths: Sequence[TrueObjects]) -> Matched:
        """The objects that the anchors answer for; what is ignored depends on the boxes that are predicted."""
        matches = []
        for codes, truth in zip(answers.codes, truths, strict=True):
            predicted, flagged = cells.decoded(codes[:, :4]), truth.ignored
            found = best_anchor_match(
                truth.boxes, self.layout, answers.grids, predicted=predicted, ignore=self.ignore, flagged=flagged
            )
            matches.append(found)
        return Matched.of(matches, truths)

    @staticmethod
    def _moves(
        codes: Float[Tensor, "positives 4"], cells: Cells, matched: Matched, picture: tuple[int, int]
    ) -> Float[Tensor, " positives"]:
        own = matched.place
        wanted = encode_yolo_anchors(matched.boxes, cells.place[own], cells.size[own], cells.stride[own])
        middle = F.binary_cross_entropy_with_logits(codes[:, :2], wanted[:, :2].clamp(0, 1), reduction="none")
        size = (codes[:, 2:] - wanted[:, 2:]).square() / 2
        weight = 2 - area(matched.boxes) / (picture[0] * picture[1])
        return weight * (middle + size).sum(dim=1)

    @torch.no_grad()
    def detect(self, answers: Answers) -> list[Detections]:
        """What is found in each picture: an object's probability times the class's, the surest first."""
        cells = self.cells(answers.grids, answers.scores.device)
        found = []
        for scores, codes in zip(answers.scores, answers.codes, strict=True):
            shares = scores.sigmoid() * codes[:, 4:].sigmoid()

            def boxes_of(rows: Tensor, codes: Tensor = codes[:, :4]) -> Tensor:
                return cells.decoded(codes, rows)

            found.append(keep(shares, answers.per_level, boxes_of, answers.picture, self.kept))
        return found
