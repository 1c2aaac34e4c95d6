"""How the losses of single elements become one number: PyTorch's own three words."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

Reduction = Literal["none", "mean", "sum"]


def reduce(values: Float[Tensor, "*elements"], reduction: Reduction) -> Tensor:
    """`values` as they are ("none"), their mean, or their sum.

    The mean of no values is 0 and not NaN, so that a picture without objects trains.

    Raises:
        ValueError: `reduction` is none of the three.
    """
    if reduction == "none":
        return values
    if reduction == "mean":
        return values.mean() if values.numel() else values.sum()
    if reduction == "sum":
        return values.sum()
    raise ValueError(f"reduction must be 'none', 'mean' or 'sum', not {reduction!r}.")
