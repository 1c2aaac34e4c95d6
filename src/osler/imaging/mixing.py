"""Pictures of a batch mixed with each other, and their targets in the same shares: mixup and CutMix.

Both run on the device, on standardised pictures. Targets come out as float shares: classes (int64) become a row of
shares per picture, for which the number of classes must be given; labels and numbers that are floats already are
averaged.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from osler.imaging.transform import BatchTransform, batch_transforms
from osler.structures.batch import Batch
from osler.structures.errors import RecipeError

Alpha = Annotated[float, Gt(0)]
Classes = Annotated[int, Ge(0)]


def soft_target(target: Tensor, num_classes: int) -> Float[Tensor, "batch outputs"]:
    """The target as floats that can be averaged: classes one-hot, floats as they are, other labels as floats.

    Raises:
        RecipeError: classes are given and their number is not, or the target is not a tensor with a row per picture.
    """
    if not isinstance(target, Tensor):
        raise RecipeError(
            "mixup and CutMix average the targets of two pictures, which only classes, labels and numbers allow: set "
            "data.augment.mixup and data.augment.cutmix to 0 for this task."
        )
    if target.ndim == 1 and not target.is_floating_point():
        if num_classes < 1:
            raise RecipeError("mixup and CutMix need num_classes to turn class indices into shares.")
        return one_hot(target.long(), num_classes).float()
    return target if target.is_floating_point() else target.float()


def draw_share(alpha: float, generator: torch.Generator) -> float:
    """A number between 0 and 1 from the distribution Beta(alpha, alpha), repeatable by the generator."""
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    return float(np.random.default_rng(seed).beta(alpha, alpha))


def _partners(batch: Batch, generator: torch.Generator) -> Int[Tensor, " batch"]:
    return torch.randperm(len(batch), generator=generator).to(batch.images.device, non_blocking=True)


@batch_transforms.register("mixup")
@dataclass(frozen=True)
class Mixup:
    """Every picture averaged with another of the batch, lambda of the one, 1 - lambda of the other (Zhang et al. 2018).

    One lambda a batch, from Beta(alpha, alpha), as in the authors' code; 0.1 to 0.4 for ImageNet, 1 for CIFAR.
    """

    alpha: Alpha = 0.2
    num_classes: Classes = 0

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, averaged with itself in another order."""
        share, other = draw_share(self.alpha, generator), _partners(batch, generator)
        target = soft_target(batch.target, self.num_classes)
        images = torch.lerp(batch.images[other], batch.images, share)
        return replace(batch, images=images, target=torch.lerp(target[other], target, share))


@batch_transforms.register("cutmix")
@dataclass(frozen=True)
class CutMix:
    """A rectangle of every picture from another of the batch; targets share by area (Yun et al. 2019, section 3.1).

    The rectangle has the picture's shape and share 1 - lambda of its area, lambda from Beta(alpha, alpha), its middle
    anywhere; what of it lies outside is cut off, and the shares are those of what is left.
    """

    alpha: Alpha = 1.0
    num_classes: Classes = 0

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch with parts of itself in another order."""
        share, other = draw_share(self.alpha, generator), _partners(batch, generator)
        top, left, bottom, right = self._rectangle(batch.images.shape[-2:], share, generator)
        target = soft_target(batch.target, self.num_classes)
        images = batch.images.clone()
        images[..., top:bottom, left:right] = batch.images[other][..., top:bottom, left:right]
        kept = 1 - (bottom - top) * (right - left) / (images.shape[-2] * images.shape[-1])
        return replace(batch, images=images, target=torch.lerp(target[other], target, kept))

    def _rectangle(self, size: torch.Size, share: float, generator: torch.Generator) -> tuple[int, int, int, int]:
        (height, width), side = size, (1 - share) ** 0.5
        y, x = (int(v) for v in torch.rand(2, generator=generator) * torch.tensor([height, width]))
        tall, wide = int(height * side), int(width * side)
        top, left = y - tall // 2, x - wide // 2
        return max(0, top), max(0, left), min(height, top + tall), min(width, left + wide)


@dataclass(frozen=True)
class Either:
    """One of two batch augmentations, drawn anew for each batch with equal odds."""

    first: BatchTransform
    second: BatchTransform

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch through one of the two."""
        chosen = self.first if torch.rand((), generator=generator) < 0.5 else self.second
        return chosen(batch, generator)
