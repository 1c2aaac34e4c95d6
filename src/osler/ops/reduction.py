"""How the losses of single elements become one number: PyTorch's own three words."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

Reduction = Literal["none", "mean", "sum"]


def reduce(values: Float[Tensor, "*elements"], reduction: Reduction) -> Tensor:
    """`values` as they are ("none"), their mean, or their sum.

    Raises:
        ValueError: `reduction` is none of the three.
    """
    if reduction == "none":
        return values
    if reduction == "mean":
        return values.mean()
    if reduction == "sum":
        return values.sum()
    raise ValueError(f"reduction must be 'none', 'mean' or 'sum', not {reduction!r}.")
