"""What ReLU loses: a spiral in the plane, taken to more dimensions by a random matrix, cut at zero, and read back.

Sandler et al. 2018 ("MobileNetV2", figure 1). In few dimensions a large part of the plane falls to zero and cannot come
back; in many, enough of them stay above zero for every point. Hence their bottlenecks, which are narrow, have no ReLU.

The paper reads back with the pseudo-inverse of the matrix; then an error remains also in many dimensions, only because
ReLU halves what is random in sign. The best affine read-out shows what is still there. Errors vary much from matrix to
matrix, and the pseudo-inverse of a nearly singular one is huge: medians are reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Loss:
    """Over random matrices into so many dimensions; errors are mean squared, of coordinates whose mean square is 1."""

    dimensions: int
    error: float  # median, read back by the best affine map
    error_inverse: float  # median, by the pseudo-inverse of the matrix, as in the paper
    lost: float  # mean share of the points that are zero in every dimension


def information_loss(
    dimensions: Sequence[int] = (2, 3, 5, 15, 30), *, matrices: int = 200, points: int = 500, seed: int = 0
) -> list[Loss]:
    """The spiral through ReLU in each number of dimensions.

    Args:
        dimensions: of the space between, each above 0.
        matrices: drawn for each; their entries are standard normal.
        points: of the spiral.
        seed: of the matrices.
    """
    generator = torch.Generator().manual_seed(seed)
    plane = spiral(points)
    return [_loss(plane, m, matrices, generator) for m in dimensions]


def spiral(points: int, *, turns: float = 3.0) -> Float[Tensor, "points 2"]:
    """Points of an Archimedean spiral about the origin (which is none of them), coordinates with a mean square of 1."""
    along = torch.arange(1, points + 1, dtype=torch.float64) / points
    angle = 2 * torch.pi * turns * along
    curve = torch.stack([along * angle.cos(), along * angle.sin()], dim=1)
    return curve / curve.square().mean().sqrt()


def _loss(plane: Float[Tensor, "points 2"], dimensions: int, matrices: int, generator: torch.Generator) -> Loss:
    errors, inverse_errors, lost = [], [], []
    for _ in range(matrices):
        matrix = torch.randn(2, dimensions, dtype=torch.float64, generator=generator)
        kept = (plane @ matrix).relu()
        errors.append(_affine_error(kept, plane))
        back = kept @ torch.linalg.pinv(matrix)
        inverse_errors.append(float((back - plane).square().mean()))
        lost.append(float((kept == 0).all(1).double().mean()))
    return Loss(dimensions, median(errors), median(inverse_errors), fmean(lost))


def _affine_error(inputs: Float[Tensor, "points m"], targets: Float[Tensor, "points 2"]) -> float:
    columns = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
    weights = torch.linalg.lstsq(columns, targets, driver="gelsd").solution  # which allows for columns of zeros
    return float((columns @ weights - targets).square().mean())
