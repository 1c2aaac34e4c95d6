"""Targets as distributions over classes: one-hot rows, label smoothing, and the KL divergence from an answer."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from osler.losses.reduction import Reduction, reduce


def as_distribution(
    target: Int[Tensor, " batch"] | Float[Tensor, "batch classes"], classes: int, *, smoothing: float = 0.0
) -> Float[Tensor, "batch classes"]:
    """Each target as a row of probabilities; `smoothing` of it is spread evenly over all classes.

    That is label smoothing (Szegedy et al. 2016, section 7). Rows that are distributions already (mixup's) are only
    smoothed.
    """
    rows = target.float() if target.is_floating_point() else F.one_hot(target, classes).float()
    return rows * (1 - smoothing) + smoothing / classes if smoothing else rows


def kl_divergence(
    outputs: Float[Tensor, "batch classes"],
    target: Float[Tensor, "batch classes"],
    *,
    temperature: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """KL(target || softmax(outputs / temperature)) in nats, one value a row: cross-entropy less the target's entropy.

    `target` holds probabilities, already at that temperature when one network learns from another (Hinton et al.
    2015). Zero where both agree; terms with target 0 count 0.
    """
    log_probabilities = F.log_softmax(outputs / temperature, dim=-1)
    return reduce(F.kl_div(log_probabilities, target, reduction="none").sum(dim=-1), reduction)
