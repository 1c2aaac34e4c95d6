"""Multi-scale training: another input size for every batch (Redmon and Farhadi 2017, YOLO9000, section 2).

The size is a batch's, not a sample's, so it is changed where batches are: on the device, after the pictures are
stacked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt
from torch import Tensor
from torch.nn.functional import interpolate

from osler.imaging.transform import batch_transforms
from osler.structures.batch import Batch
from osler.structures.detections import TrueObjects


@batch_transforms.register("multi_scale")
@dataclass(frozen=True)
class MultiScale:
    """The batch at a size drawn from `scale` times its own, each side in multiples of `step` pixels."""

    scale: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] = (0.7, 1.4)
    step: Annotated[int, Ge(1)] = 32  # the network's coarsest stride

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, resized with its objects; a target that is a tensor (classes) stays as it is.

        Raises:
            TypeError: the target is neither, so that what lies in the pictures would be left behind.
        """
        low, high = self.scale
        factor = low + (high - low) * float(torch.rand((), generator=generator))
        height, width = batch.images.shape[-2:]
        tall, wide = self._sides((height, width), factor)
        target = scaled_target(batch.target, (tall, wide), wide / width, tall / height)
        if (tall, wide) == (height, width):
            return batch
        images = interpolate(batch.images, size=(tall, wide), mode="bilinear", antialias=True)
        return replace(batch, images=images.contiguous(memory_format=torch.channels_last), target=target)

    def smallest(self, size: tuple[int, int]) -> tuple[int, int]:
        """The smallest height and width that may be drawn for a batch of that size."""
        return self._sides(size, self.scale[0])

    def _sides(self, size: tuple[int, int], factor: float) -> tuple[int, int]:
        tall, wide = (max(self.step, round(side * factor / self.step) * self.step) for side in size)
        return tall, wide


def scaled_target(target: Any, size: tuple[int, int], across: float, down: float) -> Any:
    """A batch's target for pictures of `size` (height, width), which are `across` times as wide and `down` as high."""
    if isinstance(target, Tensor):
        return target
    if not isinstance(target, Sequence) or not all(isinstance(truth, TrueObjects) for truth in target):
        raise TypeError(f"A target of type {type(target).__name__} cannot be scaled with its pictures.")
    return [_scaled(truth, size, across, down) for truth in target]


def _scaled(truth: TrueObjects, size: tuple[int, int], across: float, down: float) -> TrueObjects:
    masks = truth.masks
    if masks is not None:  # each pixel from the one under its middle, as `geometry` does it
        masks = (
            interpolate(masks[None], size=size, mode="nearest-exact")[0] if len(masks) else masks.new_zeros(0, *size)
        )
    boxes = truth.boxes * truth.boxes.new_tensor([across, down, across, down])
    return replace(truth, boxes=boxes, masks=masks, scale=(truth.scale[0] * across, truth.scale[1] * down))
