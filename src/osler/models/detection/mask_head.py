"""A mask for every object that was found: the third branch (He et al. 2017, "Mask R-CNN", sections 3 and 3.1).

A small fully convolutional network over 14 x 14 features gives for every class a mask of 28 x 28. Masks do not compete:
each class has its own sigmoid, only the true class's is trained, and only the found class's is used.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.detection.region_features import RegionFeatures
from osler.models.detection.region_head import Sampled, class_of
from osler.ops.roi_alignment import roi_align
from osler.structures.detections import Detections, TrueObjects

Maps = Sequence[Float[Tensor, "batch channels height width"]]


class MaskHead(nn.Module):
    """Features of regions to a mask for each class; background, the first, has one that nobody asks for.

    Args:
        features: how regions are cut from the levels; masks are twice as fine.
        channels: of the levels.
        num_classes: without background.
        width: channels of the convolutions.
        depth: how many convolutions before the enlargement.
    """

    def __init__(
        self, features: RegionFeatures, channels: int, num_classes: int, width: int = 256, depth: int = 4
    ) -> None:
        super().__init__()
        self.features = features
        layers: list[nn.Module] = []
        for i in range(depth):
            layers += [nn.Conv2d(channels if i == 0 else width, width, 3, padding=1), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers)
        self.enlarge = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.relu = nn.ReLU()
        self.masks = nn.Conv2d(width, num_classes + 1, 1)  # the first is background's, as the public weights have it
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        # All masks near 0.5 at first, as in the authors' code: by the rule above few classes would begin with wild ones.
        nn.init.normal_(self.masks.weight, std=0.001)

    def forward(
        self, levels: Maps, regions: Sequence[Float[Tensor, "_ 4"]]
    ) -> Float[Tensor, "regions classes side side"]:
        """Raw masks of all regions for every class."""
        seen = self.convolutions(self.features(levels, regions))
        return self.masks(self.relu(self.enlarge(seen))).float()

    def losses(self, levels: Maps, sampled: Sampled, truths: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """Binary cross-entropy of the true class's mask, over the regions that are objects."""
        positives = sampled.positives()
        raw = self(levels, positives.boxes)
        if not len(raw):
            return {"mask_loss": raw.sum()}
        labels = torch.cat([class_of(o, t) for o, t in zip(positives.objects, truths, strict=True)])
        wanted = torch.cat(
            [
                true_masks(t, o, b, raw.shape[-1])
                for t, o, b in zip(truths, positives.objects, positives.boxes, strict=True)
            ]
        )
        own = raw[torch.arange(len(raw), device=raw.device), labels]
        return {"mask_loss": F.binary_cross_entropy_with_logits(own, wanted)}

    @torch.no_grad()
    def detect(self, levels: Maps, found: Sequence[Detections]) -> list[Detections]:
        """The detections with the probability of each cell of their masks."""
        raw = self(levels, [f.boxes for f in found]).split([len(f) for f in found])
        return [
            replace(f, masks=masks[torch.arange(len(f), device=masks.device), f.labels + 1].sigmoid())
            for f, masks in zip(found, raw, strict=True)
        ]


def true_masks(
    truth: TrueObjects, objects: Tensor, boxes: Float[Tensor, "regions 4"], side: int
) -> Float[Tensor, "regions side side"]:
    """The mask of each region's object as the region sees it: a perfect answer, pasted back, is the object's mask.

    A pixel's middle lies half a pixel from its corner, as where masks are pasted; cut the older way (`aligned=False`), masks
    would be learnt, and shown, half a pixel too far to the left and to the top.

    Raises:
        ValueError: the picture has no masks.
    """
    if truth.masks is None:
        raise ValueError("Masks are trained, but a picture has none.")
    if not len(objects):
        return boxes.new_zeros((0, side, side))
    rois = torch.cat((objects[:, None].to(boxes.dtype), boxes), dim=1)
    return roi_align(truth.masks[:, None].to(boxes.dtype), rois, side, 1.0, aligned=True)[:, 0]
