"""Hinge loss: what a support vector machine minimises (Cortes & Vapnik 1995)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from osler.losses.reduction import Reduction, reduce


def hinge_loss(
    outputs: Float[Tensor, "*elements"], target: Float[Tensor, "*elements"], *, reduction: Reduction = "mean"
) -> Tensor:
    """max(0, 1 - y * output) with y = 2 * target - 1; one value an element.

    Targets are 0 or 1 (shares in between move y accordingly). Over one-hot rows this is the one-against-all machine.
    """
    return reduce(F.relu(1 - (2 * target - 1) * outputs), reduction)
