"""How well a box sits: the branch that predicts its IoU with its object (Jiang et al. 2018, "Acquisition of Localization
Confidence for Accurate Object Detection", IoU-Net).

The sureness of a class says nothing of where exactly the object is. A branch beside the classifier looks at precisely
pooled features of a box and predicts, for each class, how much the box overlaps its object. It learns from true boxes
that were moved about, not from proposals, so that any detector's boxes may be asked about. What it says decides which of
many boxes stays, and moves that one to where it says more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from osler.models.detection.box_refinement import RefinementRule, refine_boxes
from osler.models.detection.region_features import RegionFeatures
from osler.ops.box_overlap import iou
from osler.ops.boxes import clip_boxes_to_image
from osler.ops.guided_suppression import iou_guided_nms
from osler.structures.detections import Detections, TrueObjects

Maps = Sequence[Float[Tensor, "batch channels height width"]]
Boxes = Float[Tensor, "_ 4"]
Picture = tuple[int, int]

TRIED = 32  # moved boxes from which the one is taken whose IoU is nearest to the one that was drawn
SHIFT = 0.6  # of a box's side: how far its middle goes at most
STRETCH = 0.7  # the logarithm of a side's factor at most


@dataclass(frozen=True, slots=True)
class OverlapRule:
    """What trains the branch, and what is done with what it says.

    Attributes:
        boxes: moved true boxes of a picture that are trained on.
        least: IoU that they have at least with their objects (section 3.1).
        overlap: IoU above which the box that sits worse of two of a class goes.
        most: objects that are kept of a picture.
        refinement: how these then move.
    """

    boxes: int = 128
    least: float = 0.5
    overlap: float = 0.5
    most: int = 100
    refinement: RefinementRule = field(default_factory=RefinementRule)


class OverlapHead(nn.Module):
    """Features of boxes to their predicted IoU with an object of each class.

    Args:
        features: how boxes are cut from the levels; only precise pooling has a gradient with respect to their corners.
        channels: of the levels.
        num_classes: without background, which overlaps nothing.
        width: of the two fully connected layers.
        rule: what trains it, what is done with what it says.
    """

    def __init__(
        self,
        features: RegionFeatures,
        channels: int,
        num_classes: int,
        width: int = 1024,
        rule: OverlapRule | None = None,
    ) -> None:
        super().__init__()
        self.features, self.rule = features, rule or OverlapRule()
        self.fc1 = nn.Linear(channels * features.bins**2, width)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(width, width)
        self.relu2 = nn.ReLU()
        self.overlaps = nn.Linear(width, num_classes)
        nn.init.normal_(self.overlaps.weight, std=0.01)
        nn.init.zeros_(self.overlaps.bias)

    def forward(
        self, levels: Maps, boxes: Sequence[Boxes], labels: Sequence[Int[Tensor, " _"]]
    ) -> Float[Tensor, " boxes"]:
        """The predicted IoU of the boxes of all pictures with objects of their classes, picture by picture."""
        seen = self.features(levels, boxes).flatten(1)
        seen = self.relu2(self.fc2(self.relu1(self.fc1(seen))))
        said = self.overlaps(seen).float().gather(1, torch.cat(list(labels))[:, None]).squeeze(1)
        return self.rule.least + (1 - self.rule.least) * (said + 1) / 2

    def losses(self, levels: Maps, truths: Sequence[TrueObjects], picture: Picture) -> dict[str, Tensor]:
        """Smooth L1 of the IoU of moved true boxes, spread over [-1, 1] (section 4.1)."""
        boxes, labels, wanted = [], [], []
        for truth in truths:
            counted = truth.counted
            moved, overlaps, objects = moved_boxes(counted.boxes, picture, self.rule.boxes, self.rule.least)
            boxes.append(moved)
            labels.append(counted.labels[objects])
            wanted.append(overlaps)
        said, spread = self(levels, boxes, labels), 2 / (1 - self.rule.least)
        total = F.smooth_l1_loss(said * spread, torch.cat(wanted) * spread, reduction="sum")
        return {"overlap_loss": total / max(1, len(said))}

    def detect(self, levels: Maps, candidates: Sequence[Detections], picture: Picture) -> list[Detections]:
        """Of the candidates of each picture those that sit best, moved to sit better, the surest first."""
        with torch.no_grad():
            said = self(levels, [c.boxes for c in candidates], [c.labels for c in candidates])
        counts = [len(c) for c in candidates]
        kept = [self._guided(c, s) for c, s in zip(candidates, said.split(counts), strict=True)]
        return self.refine(levels, kept, picture)

    def refine(self, levels: Maps, found: Sequence[Detections], picture: Picture) -> list[Detections]:
        """The same objects, their boxes moved to where they are predicted to overlap more (algorithm 2)."""
        if not self.rule.refinement.steps or not any(len(f) for f in found):
            return list(found)
        counts = [len(f) for f in found]
        exact = torch.autocast(levels[0].device.type, enabled=False)  # a step gains less than what bfloat16 rounds off
        # In inference mode nothing has a gradient, and what was made in it cannot have one.
        with torch.inference_mode(False), exact:
            still = [level.detach().float().clone() for level in levels]
            labels = [f.labels.clone() for f in found]
            boxes = refine_boxes(
                torch.cat([f.boxes for f in found]).clone(),
                lambda corners: self(still, corners.split(counts), labels),
                self.rule.refinement,
            )
        inside = clip_boxes_to_image(boxes, picture).split(counts)
        return [replace(f, boxes=b) for f, b in zip(found, inside, strict=True)]

    def _guided(self, found: Detections, said: Float[Tensor, " objects"]) -> Detections:
        """IoU-guided suppression (algorithm 1), then the surest."""
        keep, scores = iou_guided_nms(found.boxes, found.scores, said, self.rule.overlap, found.labels)
        surest = scores.sort(descending=True, stable=True).indices[: self.rule.most]
        return replace(found.select(keep[surest]), scores=scores[surest])


@torch.no_grad()
def moved_boxes(
    boxes: Boxes, picture: Picture, count: int, least: float
) -> tuple[Float[Tensor, "moved 4"], Float[Tensor, " moved"], Int[Tensor, " moved"]]:
    """True boxes moved and stretched at random, their IoU with the true one, and which that is.

    The IoU are about uniform from `least` to 1 (section 3.1): for each box one is drawn, and of many moved boxes the one
    that comes nearest is taken. None where there is no true box.

    Args:
        boxes: of the objects; those without area are left out.
        picture: height and width, which no moved box leaves.
        count: how many moved boxes.
        least: IoU that each has at least.
    """
    sound = (boxes[:, 2:] > boxes[:, :2]).all(dim=1).nonzero().flatten()
    if not len(sound):
        return boxes.new_zeros((0, 4)), boxes.new_zeros(0), sound
    objects = sound[torch.randint(len(sound), (count,), device=boxes.device)]
    true = boxes[objects][:, None].expand(-1, TRIED, -1)
    middle, size = (true[..., :2] + true[..., 2:]) / 2, true[..., 2:] - true[..., :2]
    strength = torch.rand((count, TRIED, 1), device=boxes.device)
    chance = 2 * torch.rand((count, TRIED, 4), device=boxes.device) - 1
    middle = middle + SHIFT * strength * chance[..., :2] * size
    half = size * (STRETCH * strength * chance[..., 2:]).exp() / 2
    moved = clip_boxes_to_image(torch.cat((middle - half, middle + half), dim=-1), picture)
    overlaps = iou(moved, true)
    wanted = least + (1 - least) * torch.rand((count, 1), device=boxes.device)
    nearest = (overlaps - wanted).abs().argmin(dim=1)
    rows = torch.arange(count, device=boxes.device)
    moved, overlaps = moved[rows, nearest], overlaps[rows, nearest]
    enough = overlaps >= least
    return moved[enough], overlaps[enough], objects[enough]
