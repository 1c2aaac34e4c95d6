"""What is in a proposed region, and where exactly: the second stage (Girshick 2015, "Fast R-CNN", section 2).

The features of a region go through two fully connected layers; one layer on top tells the classes and background apart,
another says for each class how the region would have to move to fit the object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from osler.models.detection.picture_edges import cut_at_edges
from osler.models.detection.region_features import RegionFeatures
from osler.ops.box_coding import decode_boxes, encode_boxes
from osler.ops.matching import HEAD, IouRule, max_iou_match
from osler.ops.sampling import HEAD_BALANCE, Balance, balanced_draw
from osler.ops.suppression import batched_nms
from osler.structures.detections import Detections, TrueObjects

Maps = Sequence[Float[Tensor, "batch channels height width"]]
Boxes = Float[Tensor, "_ 4"]


@dataclass(frozen=True, slots=True)
class RegionRule:
    """What trains the second stage, and what it keeps (Girshick 2015, section 2.3; Ren et al. 2015, section 3.2).

    Attributes:
        matching: which region is of an object's class, which is background.
        balance: the regions of a picture that are trained on.
        weights: by which the four codes are multiplied, so that they are about as large as one another.
        beta: where the loss of the codes turns from square to straight; 0 is straight all the way.
        score: what is less sure is not kept.
        overlap: IoU above which the less sure of two of a class goes.
        most: objects that are kept of a picture.
    """

    matching: IouRule = HEAD
    balance: Balance = HEAD_BALANCE
    weights: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    beta: float = 1 / 9
    score: float = 0.05
    overlap: float = 0.5
    most: int = 100


@dataclass(frozen=True, slots=True)
class Sampled:
    """Regions that are trained on: of each picture, which object each is (-1: background)."""

    boxes: list[Boxes]
    objects: list[Int[Tensor, " _"]]

    def positives(self) -> "Sampled":
        """Those that are objects."""
        keep = [o >= 0 for o in self.objects]
        return Sampled(
            [b[k] for b, k in zip(self.boxes, keep, strict=True)],
            [o[k] for o, k in zip(self.objects, keep, strict=True)],
        )


class RegionHead(nn.Module):
    """Features of regions to classes and boxes.

    Args:
        features: how regions are cut from the levels.
        channels: of the levels.
        num_classes: without background.
        width: of the two fully connected layers.
        rule: what trains it, what it keeps.
        dropout: share of the units of both layers that are left out in training.
    """

    def __init__(
        self,
        features: RegionFeatures,
        channels: int,
        num_classes: int,
        width: int = 1024,
        rule: RegionRule | None = None,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.features, self.rule = features, rule or RegionRule()
        self.fc6 = nn.Linear(channels * features.bins**2, width)
        self.relu6 = nn.ReLU()
        self.fc7 = nn.Linear(width, width)
        self.relu7 = nn.ReLU()
        self.drop6, self.drop7 = nn.Dropout(dropout), nn.Dropout(dropout)
        self.scores = nn.Linear(width, num_classes + 1)  # background first
        self.codes = nn.Linear(width, 4 * (num_classes + 1))
        for layer, spread in ((self.scores, 0.01), (self.codes, 0.001)):  # Girshick 2015, section 2.3
            nn.init.normal_(layer.weight, std=spread)
            nn.init.zeros_(layer.bias)

    def forward(
        self, levels: Maps, regions: Sequence[Boxes]
    ) -> tuple[Float[Tensor, "regions classes"], Float[Tensor, "regions classes 4"]]:
        """Raw scores (background first) and codes of all regions, picture by picture."""
        seen = self.features(levels, regions).flatten(1)
        seen = self.drop6(self.relu6(self.fc6(seen)))
        seen = self.drop7(self.relu7(self.fc7(seen)))
        return self.scores(seen).float(), self.codes(seen).float().reshape(len(seen), -1, 4)

    @torch.no_grad()
    def sample(self, regions: Sequence[Boxes], truths: Sequence[TrueObjects]) -> Sampled:
        """The regions to train on, the true boxes among them, so that there are good ones from the first step."""
        boxes, objects = [], []
        for proposed, truth in zip(regions, truths, strict=True):
            candidates = torch.cat((proposed, truth.boxes[~truth.ignored]))
            matched = max_iou_match(candidates, truth.boxes, self.rule.matching, truth.ignored)
            rows = balanced_draw(matched, self.rule.balance).both
            boxes.append(candidates[rows])
            objects.append(matched[rows])
        return Sampled(boxes, objects)

    def losses(self, levels: Maps, sampled: Sampled, truths: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """Cross-entropy of all sampled regions, smooth L1 of the objects' codes, both over the number of regions."""
        scores, codes = self(levels, sampled.boxes)
        labels = torch.cat([class_of(o, t) for o, t in zip(sampled.objects, truths, strict=True)])
        rows = (labels > 0).nonzero().flatten()
        wanted = [
            encode_boxes(t.boxes[o[o >= 0]], b[o >= 0], self.rule.weights)
            for b, o, t in zip(sampled.boxes, sampled.objects, truths, strict=True)
        ]
        moves = F.smooth_l1_loss(codes[rows, labels[rows]], torch.cat(wanted), beta=self.rule.beta, reduction="sum")
        return {
            "class_loss": F.cross_entropy(scores, labels) if len(labels) else scores.sum(),
            "box_loss": moves / max(1, len(labels)),
        }

    @torch.no_grad()
    def detect(self, levels: Maps, regions: Sequence[Boxes], picture: tuple[int, int]) -> list[Detections]:
        """What is in the regions of each picture, the surest first."""
        return [self._kept(found) for found in self.candidates(levels, regions, picture)]

    @torch.no_grad()
    def candidates(self, levels: Maps, regions: Sequence[Boxes], picture: tuple[int, int]) -> list[Detections]:
        """Each region as each class that it may be, moved to fit; many for one object, in no order."""
        scores, codes = self(levels, regions)
        shares, counts = scores.softmax(dim=1), [len(r) for r in regions]
        per_picture = zip(regions, shares.split(counts), codes.split(counts), strict=True)
        return [self._moved(boxes, s, c, picture) for boxes, s, c in per_picture]

    def _moved(
        self,
        regions: Boxes,
        shares: Float[Tensor, "regions classes"],
        codes: Float[Tensor, "regions classes 4"],
        picture: tuple[int, int],
    ) -> Detections:
        rows, labels = (shares[:, 1:] > self.rule.score).nonzero(as_tuple=True)
        boxes = decode_boxes(codes[rows, labels + 1], regions[rows], self.rule.weights)
        return cut_at_edges(Detections(boxes, labels, shares[rows, labels + 1]), picture)

    def _kept(self, found: Detections) -> Detections:
        """The best of each class and place."""
        return found.select(batched_nms(found.boxes, found.scores, found.labels, self.rule.overlap)[: self.rule.most])


def class_of(objects: Int[Tensor, " regions"], truth: TrueObjects) -> Int[Tensor, " regions"]:
    """The class of the object that each region is, counted from 1; 0 for background."""
    found = torch.zeros_like(objects)
    found[objects >= 0] = truth.labels[objects[objects >= 0]] + 1
    return found
