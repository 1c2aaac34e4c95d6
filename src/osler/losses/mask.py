"""Mask R-CNN's mask loss: a sigmoid for every pixel, of the true class's mask only (He et al. 2017, section 3)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from osler.losses.reduction import Reduction, reduce


def mask_loss(
    outputs: Float[Tensor, "objects classes height width"],
    target: Float[Tensor, "objects height width"],
    labels: Int[Tensor, " objects"],
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Mean binary cross-entropy over the pixels of the mask that belongs to the object's class; one value an object, 0 of none.

    The masks of other classes get no gradient, so classes do not compete for pixels.
    """
    chosen = outputs[torch.arange(len(labels), device=outputs.device), labels]
    return reduce(F.binary_cross_entropy_with_logits(chosen, target, reduction="none").mean(dim=(1, 2)), reduction)
