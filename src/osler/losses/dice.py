"""Dice loss: overlap of a predicted mask with the true one (Milletari et al. 2016, V-Net, section 3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from osler.losses.reduction import Reduction, reduce


def dice_loss(
    outputs: Float[Tensor, "batch *pixels"],
    target: Float[Tensor, "batch *pixels"],
    *,
    smooth: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """1 - (2 sum(p t) + smooth) / (sum(p^2) + sum(t^2) + smooth), p = sigmoid(outputs); one value a row, in [0, 1].

    Every pixel of a row counts together, so a small object weighs as much as a large one. `smooth` gives an empty
    mask that was predicted empty the loss 0.
    """
    p, t = torch.sigmoid(outputs).flatten(1), target.flatten(1)
    both = (p * t).sum(dim=1)
    return reduce(1 - (2 * both + smooth) / (p.square().sum(dim=1) + t.square().sum(dim=1) + smooth), reduction)
