"""Contrastive loss: like things near, unlike things at least a margin apart (Hadsell, Chopra & LeCun 2006, eq. 4)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from osler.losses.reduction import Reduction, reduce


def contrastive_loss(
    first: Float[Tensor, "batch features"],
    second: Float[Tensor, "batch features"],
    unlike: Float[Tensor, " batch"],
    *,
    margin: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """(1 - unlike) * d^2 / 2 + unlike * max(0, margin - d)^2 / 2, d the Euclidean distance; one value a pair.

    `unlike` is 0 for a pair of the same kind and 1 for a pair of different kinds, as in the paper.
    """
    difference = first - second
    near = difference.square().sum(dim=1)
    distance = F.pairwise_distance(first, second, eps=1e-6)  # the eps keeps the slope finite where the two coincide
    far = F.relu(margin - distance).square()
    return reduce(((1 - unlike) * near + unlike * far) / 2, reduction)
