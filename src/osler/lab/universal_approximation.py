"""One hidden layer of enough units fits any continuous function (row FB09): sin, and a bump over the plane.

Cybenko 1989 and Hornik 1991 for sigmoids; Leshno et al. 1993: for any activation that is no polynomial, on a compact set. It
says that weights exist, not that training finds them; here hidden weights are drawn, and the output weights are the least
squares', which needs no training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from osler.lab.fitting import least_squares

Points = Float[Tensor, "points inputs"]
Values = Float[Tensor, " points"]


def sine(x: Points) -> Values:
    """Four periods of the sine over -1 to 1."""
    return torch.sin(4 * torch.pi * x[:, 0])


def bump(x: Points) -> Values:
    """A hill in the middle of the square."""
    return torch.exp(-4 * x.square().sum(1))


@dataclass(frozen=True, slots=True)
class WidthFit:
    """The fit of one width."""

    width: int
    error: float  # root mean square between the points that it was fitted to


def fits_by_width(
    function: Callable[[Points], Values],
    inputs: int,
    *,
    widths: Sequence[int] = (2, 8, 32, 128),
    activation: Callable[[Tensor], Tensor] = torch.tanh,
    seed: int = 0,
) -> list[WidthFit]:
    """Hidden layers of random weights, the narrower ones parts of the wider, and the best output weights for each."""
    generator = torch.Generator().manual_seed(seed)
    weights = 8 * torch.randn(max(widths), inputs, generator=generator, dtype=torch.float64)
    biases = 8 * (2 * torch.rand(max(widths), generator=generator, dtype=torch.float64) - 1)
    x, between = (2 * torch.rand(n, inputs, generator=generator, dtype=torch.float64) - 1 for n in (2000, 1000))
    found = []
    for width in widths:
        seen, unseen = (_columns(activation(p @ weights[:width].T + biases[:width])) for p in (x, between))
        output = least_squares(seen, function(x))
        found.append(WidthFit(width, float((unseen @ output - function(between)).square().mean().sqrt())))
    return found


def _columns(hidden: Float[Tensor, "points units"]) -> Float[Tensor, "points terms"]:
    return torch.cat([hidden, torch.ones_like(hidden[:, :1])], dim=1)
