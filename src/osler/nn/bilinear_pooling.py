"""Bilinear pooling: which features occur together (Lin, RoyChowdhury, Maji 2015, "Bilinear CNN models for fine-grained
visual recognition", ICCV, arXiv 1504.07889).

Average pooling keeps how much of each feature a picture has. Look-alike classes often have the same features in the same
amounts, and differ in which of them meet at one place: a red bill with a pale eye. The sum over positions of the outer
product of two feature vectors keeps the meetings, and still forgets the places.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class BilinearPool2d(nn.Module):
    """Mean over positions of the outer product of features, signed square root, unit length (section 3).

    The output is flat: channels * others numbers per picture, for a linear layer.

    Args:
        eps: added under the square root, whose slope is infinite at 0.
    """

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps

    def forward(
        self,
        x: Float[Tensor, "batch channels height width"],
        other: Float[Tensor, "batch others height width"] | None = None,
    ) -> Float[Tensor, "batch pairs"]:
        """Of one network's features with themselves, or with those of `other`, on the same grid."""
        together = outer_mean(x, x if other is None else other).flatten(1)
        rooted = together.sign() * ((together.abs() + self.eps).sqrt() - self.eps**0.5)
        return F.normalize(rooted, dim=1)

    def extra_repr(self) -> str:
        """What `print` shows beside the name."""
        return f"eps={self.eps}"


def outer_mean(
    x: Float[Tensor, "batch channels height width"], other: Float[Tensor, "batch others height width"]
) -> Float[Tensor, "batch channels others"]:
    """The mean over positions of every product of a feature of `x` and a feature of `other`.

    Raises:
        ValueError: the two are not on the same grid.
    """
    if x.shape[-2:] != other.shape[-2:]:
        raise ValueError(
            f"Bilinear pooling multiplies features at the same positions; given: maps of {tuple(x.shape[-2:])} and "
            f"{tuple(other.shape[-2:])}."
        )
    positions = x.shape[-2] * x.shape[-1]
    return torch.einsum("bchw,bdhw->bcd", x, other) / positions
