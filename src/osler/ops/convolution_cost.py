"""What a convolution costs, by the two formulas: its parameters, and its multiply-adds for one picture.

With M input channels, N output channels, kernels of side K, G groups and P output positions it has N * (M / G) * K * K
weights and N biases, and multiplies and adds each weight once at each position.
"""

from dataclasses import dataclass

from osler.structures.errors import RecipeError


@dataclass(frozen=True, slots=True)
class ConvolutionCost:
    """Counts for one picture. A bias is added once at each position; it multiplies nothing and is counted apart."""

    weights: int
    biases: int
    multiply_adds: int

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


def convolution_cost(
    in_channels: int,
    out_channels: int,
    kernel: int,
    positions: tuple[int, int],
    *,
    groups: int = 1,
    bias: bool = True,
) -> ConvolutionCost:
    """Counts by formula; nothing is made.

    Args:
        in_channels: M, a multiple of `groups`.
        out_channels: N, a multiple of `groups`.
        kernel: side K of the square kernels; 1 is a pointwise convolution.
        positions: height and width of the output map.
        groups: `in_channels` makes it depthwise.
        bias: whether each output channel has one.

    Raises:
        RecipeError: the groups do not divide the channels.
    """
    if groups < 1 or in_channels % groups or out_channels % groups:
        raise RecipeError(
            f"{groups} groups cannot share {in_channels} input and {out_channels} output channels evenly: both must be "
            "multiples of the groups."
        )
    weights = out_channels * (in_channels // groups) * kernel**2
    return ConvolutionCost(weights, out_channels if bias else 0, weights * positions[0] * positions[1])
