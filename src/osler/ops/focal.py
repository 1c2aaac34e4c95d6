"""The focal loss of independent yes-or-no answers, in torchvision's signature.

Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 5: for the probability p of the truth,
alpha * (1 - p)^gamma * -log p.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from osler.ops.reduction import Reduction, reduce


def sigmoid_focal_loss(
    inputs: Float[Tensor, "*elements"],
    targets: Float[Tensor, "*elements"],
    alpha: float = 0.25,
    gamma: float = 2,
    reduction: Reduction = "none",
) -> Tensor:
    """One value an element, or their mean or sum.

    Args:
        inputs: before the sigmoid.
        targets: 0 or 1, or between them.
        alpha: in [0, 1], the weight of the positives, 1 - alpha being that of the negatives; negative: neither weighs.
        gamma: at least 0; 0 is weighted cross-entropy.
        reduction: `none`, `mean` or `sum`.
    """
    cross_entropy = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p = torch.sigmoid(inputs)
    of_truth = p * targets + (1 - p) * (1 - targets)
    loss = cross_entropy * (1 - of_truth) ** gamma
    if alpha >= 0:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    return reduce(loss, reduction)
