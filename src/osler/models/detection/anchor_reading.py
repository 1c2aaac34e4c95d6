"""Dense answers read against anchors: RetinaNet's way and SSD's, which differ in what is filled in below.

Both move an anchor by four codes. RetinaNet asks of each class by itself and lets the focal loss look away from easy
background (Lin et al. 2017, "Focal loss"); SSD lets the classes and background exclude each other, and learns from three
times as many of the hardest background boxes as there are objects' ones (Liu et al. 2016, section 2.2).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from osler.models.detection.dense_head import Answers
from osler.models.detection.kept_answers import KeepRule, keep
from osler.models.detection.matched_places import Matched
from osler.ops.anchors import Grid
from osler.ops.box_coding import NO_WEIGHTS, Weights, decode_boxes, encode_boxes
from osler.ops.focal import sigmoid_focal_loss
from osler.ops.matching import IGNORED
from osler.ops.sampling import hard_negatives
from osler.structures.detections import Detections, TrueObjects

Anchors = Float[Tensor, "places 4"]
Scores = Float[Tensor, "batch places columns"]
Layout = Callable[[Sequence[Grid], tuple[int, int], torch.device], Anchors]  # of grids, picture and device
Match = Callable[[Anchors, Float[Tensor, "objects 4"], Bool[Tensor, " objects"]], Int[Tensor, " places"]]


class ClassTerm(Protocol):
    """What scores mean, and what a wrong one costs."""

    def loss(self, scores: Scores, matched: Matched) -> Float[Tensor, " batch"]:
        """The sum over each picture."""
        ...

    def shares(self, scores: Scores) -> Scores:
        """How sure each place is of each class, without background, in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True)
class FocalTerm:
    """A yes or no for each class, by the focal loss (Lin et al. 2017, equation 5).

    Attributes:
        alpha: weight of the objects' classes, 1 - alpha being that of all other answers; negative: neither weighs.
        gamma: how far it looks away from easy answers; 0 is cross-entropy.
        background_column: whether a column before the classes', which never answers for anything, is there, as in the
            public weights of torchvision.
    """

    alpha: float = 0.25
    gamma: float = 2.0
    background_column: bool = False

    def elements(self, scores: Scores, matched: Matched) -> Scores:
        """The loss of every answer; 0 at ignored places."""
        wanted = torch.zeros_like(scores)
        wanted[matched.picture, matched.place, matched.labels + int(self.background_column)] = 1
        losses = sigmoid_focal_loss(scores, wanted, self.alpha, self.gamma)
        return losses.masked_fill((matched.matches == IGNORED)[..., None], 0)

    def loss(self, scores: Scores, matched: Matched) -> Float[Tensor, " batch"]:
        """The sum over each picture."""
        return self.elements(scores, matched).sum(dim=(1, 2))

    def shares(self, scores: Scores) -> Scores:
        """The probability of each class by itself."""
        return scores[..., int(self.background_column) :].sigmoid()


@dataclass(frozen=True, slots=True)
class HardNegativeTerm:
    """One of the classes or background (column 0), by cross-entropy over the positives and the hardest negatives.

    Attributes:
        ratio: negatives for each positive.
    """

    ratio: int = 3

    def loss(self, scores: Scores, matched: Matched) -> Float[Tensor, " batch"]:
        """The sum over each picture."""
        wanted = torch.zeros_like(matched.matches)
        wanted[matched.picture, matched.place] = matched.labels + 1
        losses = F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), reduction="none").view_as(wanted)
        seen = (matched.matches >= 0) | hard_negatives(losses, matched.matches, ratio=self.ratio)
        return (losses * seen).sum(dim=1)

    def shares(self, scores: Scores) -> Scores:
        """The probability of each class, which with background's sum to 1."""
        return scores.softmax(dim=-1)[..., 1:]


@dataclass(frozen=True, slots=True)
class AnchorReading:
    """Which anchors answer for which objects, what mistakes cost, and what is kept.

    Attributes:
        layout: where the anchors lie.
        match: which object each anchor answers for.
        classes: the loss of the scores.
        weights: by which the four codes are multiplied.
        beta: where the loss of the codes turns from square to straight; 0 is straight all the way.
        per: the sums of the losses are divided by the number of positives, of each picture by itself before the mean
            over pictures (RetinaNet), or of the whole batch (SSD).
        kept: what is kept.
    """

    layout: Layout
    match: Match
    classes: ClassTerm = field(default_factory=FocalTerm)
    weights: Weights = NO_WEIGHTS
    beta: float = 0.0
    per: Literal["picture", "batch"] = "picture"
    kept: KeepRule = field(default_factory=KeepRule)

    def matched(self, anchors: Anchors, truths: Sequence[TrueObjects]) -> Matched:
        """The objects that the anchors answer for."""
        return Matched.of([self.match(anchors, t.boxes, t.ignored) for t in truths], truths)

    def losses(self, answers: Answers, truths: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """The class term, and (smooth) L1 of the positives' codes."""
        anchors = self.layout(answers.grids, answers.picture, answers.scores.device)
        matched = self.matched(anchors, truths)
        wanted = encode_boxes(matched.boxes, anchors[matched.place], self.weights)
        codes = answers.codes[matched.picture, matched.place]
        moves = F.smooth_l1_loss(codes, wanted, beta=self.beta, reduction="none").sum(dim=1)
        return {
            "class_loss": self._mean(self.classes.loss(answers.scores, matched), matched.counts),
            "box_loss": self._mean(matched.per_picture(moves), matched.counts),
        }

    def _mean(self, sums: Float[Tensor, " batch"], positives: Int[Tensor, " batch"]) -> Tensor:
        if self.per == "batch":
            return sums.sum() / positives.sum().clamp(min=1)
        return (sums / positives.clamp(min=1)).mean()

    @torch.no_grad()
    def detect(self, answers: Answers) -> list[Detections]:
        """What is found in each picture, the surest first."""
        anchors = self.layout(answers.grids, answers.picture, answers.scores.device)
        found = []
        for shares, codes in zip(self.classes.shares(answers.scores), answers.codes, strict=True):

            def boxes_of(rows: Tensor, codes: Tensor = codes) -> Tensor:
                return decode_boxes(codes[rows], anchors[rows], self.weights)

            found.append(keep(shares, answers.per_level, boxes_of, answers.picture, self.kept))
        return found
