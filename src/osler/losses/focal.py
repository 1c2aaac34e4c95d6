"""Focal loss: cross-entropy that gives easy examples little weight.

Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4 and 5. For the probability p of the truth the loss is
alpha * (1 - p)^gamma * -log p. With gamma 0 and alpha 1 it is cross-entropy.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from osler.losses.distribution import as_distribution
from osler.losses.reduction import Reduction, reduce
from osler.ops import focal as ops


def softmax_focal_loss(
    outputs: Float[Tensor, "batch classes"],
    target: Int[Tensor, " batch"] | Float[Tensor, "batch classes"],
    *,
    alpha: float = 1.0,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """For classes that exclude one another; one value a row. A soft target sums its classes' terms by their share."""
    log_p = F.log_softmax(outputs, dim=-1)
    share = as_distribution(target, outputs.shape[-1])
    # -expm1(log p) is 1 - p without cancellation near p = 1; the clamp keeps the power's slope finite at p = 1 exactly.
    hard = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny) ** gamma if gamma else torch.ones_like(log_p)
    return reduce(-alpha * (share * hard * log_p).sum(dim=-1), reduction)


def sigmoid_focal_loss(
    outputs: Float[Tensor, "*elements"],
    target: Float[Tensor, "*elements"],
    *,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """For independent yes-or-no answers; one value an element.

    `alpha` in [0, 1] weighs the positives and 1 - alpha the negatives; a negative alpha weighs neither.
    """
    return ops.sigmoid_focal_loss(outputs, target, alpha, gamma, reduction)
