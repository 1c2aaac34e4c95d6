"""Detectors of a few lines, for tests of what surrounds a detector."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from osler.structures.detections import Detections, TrueObjects


class BrightFinder(nn.Module):
    """Finds the box around all pixels brighter than `level` (standardised), and a second, unsure one over everything.

    With `masks` it gives the box's mask, too: its left half.
    """

    def __init__(self, level: float = 0.8, masks: bool = False) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(level))
        self.masks = masks

    def losses(self, images: Tensor, targets: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """Something that depends on pictures and targets."""
        objects = sum(len(t.counted) for t in targets)
        return {"class": (self.level - images.mean()) ** 2, "box": self.level.bfloat16() * objects}

    def forward(self, images: Tensor) -> list[Detections]:
        return [self.found(image) for image in images]

    def found(self, image: Tensor) -> Detections:
        rows, columns = torch.where(image.amax(dim=0) > self.level)
        whole = torch.tensor([[0.0, 0.0, image.shape[2], image.shape[1]]])
        boxes, scores = whole, torch.tensor([0.1])
        if len(rows):
            box = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float()
            boxes, scores = torch.cat([box[None], whole]), torch.tensor([0.9, 0.1])
        found = Detections(boxes, torch.zeros(len(boxes), dtype=torch.long), scores)
        if self.masks:
            found.masks = torch.zeros(len(boxes), 8, 8)
            found.masks[:, :, :4] = 1
        return found


class TorchvisionsManner(nn.Module):
    """A detector with the signature of torchvision's: targets as dictionaries, classes from 1, lists out."""

    def __init__(self, found: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.seen: list[dict[str, Tensor]] = []
        self.label = found

    def forward(self, images: Tensor, targets: list[dict[str, Tensor]] | None = None) -> object:
        if self.training:
            assert targets is not None
            self.seen = targets
            return {"loss_classifier": self.weight * 2, "loss_box_reg": self.weight * len(targets)}
        box = torch.tensor([[1.0, 2.0, 5.0, 8.0]])
        return [{"boxes": box, "labels": torch.tensor([self.label]), "scores": torch.tensor([0.7])} for _ in images]
