"""The slope of a loss along one direction in which every tensor takes part: by its gradients, and by central differences.

Two evaluations check all gradients at once, where going number by number would take two for each.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SHARES = (1e-3, 1e-4, 1e-2, 1e-1)  # of the loss, by which a move should change it: the usual one first
LONGEST = 0.1  # of a move, where the loss hardly depends on the parameters
TOLERANCE = 1e-2  # relative; a missing or doubled gradient of one layer in thirty is more
ROUNDING = 2.0**-23  # of a loss in float32, relative


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """What became of the slope of the loss along a direction in which every parameter takes part."""

    passed: bool
    relative_error: float  # the smallest over the moves that were tried
    backpropagated: float  # slope by backpropagation
    measured: float  # slope by central differences
    parameters: int  # tensors that took part
    missing: int  # tensors that backpropagation does not reach, although the loss depends on some of them


def compare_slopes(loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> GradientCheck:
    """The slope of a loss by its gradients, and by central differences, moving all parameters at once.

    Each tensor moves along its own gradient by the same length, so that no layer is drowned by another; one whose
    gradient is zero moves at random. Tensors that backpropagation does not reach are moved by themselves: if that
    changes the loss, their gradient is missing. An error within the rounding of the loss is none.
    """
    start = loss()
    gradients = gradients_of(start, parameters)
    reached = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]
    unreached = [p for p, g in zip(parameters, gradients, strict=True) if g is None]
    moving, sizes = [p for p, _ in reached], [float(g.norm()) for _, g in reached]
    directions = [g / s if s else _random(p) for (p, g), s in zip(reached, sizes, strict=True)]
    slope, value = sum(sizes), float(start.detach())
    missing = len(unreached) if unreached and _matter(loss, unreached, value) else 0
    best = (math.inf, math.nan)
    for share in SHARES:
        step = min(LONGEST, share * max(abs(value), 1e-6) / slope) if slope else LONGEST
        high, low = (_moved(loss, moving, directions, sign * step) for sign in (1, -1))
        measured = (high - low) / (2 * step)
        off = max(0.0, abs(measured - slope) - ROUNDING * max(abs(high), abs(low)) / step)
        error = off / max(abs(measured), slope, 1e-12)
        if error < best[0]:  # never so for NaN
            best = (error, measured)
        if error <= TOLERANCE:
            break
    passed = best[0] <= TOLERANCE and slope > 0 and not missing
    return GradientCheck(passed, best[0], slope, best[1], len(parameters), missing)


def gradients_of(loss: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """By backpropagation; None for tensors that it does not reach."""
    if not loss.requires_grad:
        return [None] * len(parameters)
    return torch.autograd.grad(loss, parameters, allow_unused=True)


def _random(parameter: Tensor) -> Tensor:
    """A direction of length 1."""
    random = torch.randn_like(parameter)
    return random / random.norm()


def _matter(loss: Callable[[], Tensor], parameters: Sequence[Tensor], value: float) -> bool:
    """Whether the loss changes with these parameters, by more than its rounding."""
    directions = [_random(p) * max(1.0, float(p.detach().norm())) for p in parameters]
    return abs(_moved(loss, parameters, directions, LONGEST) - value) > 4 * ROUNDING * abs(value)


@torch.no_grad()
def _moved(loss: Callable[[], Tensor], parameters: Sequence[Tensor], directions: Sequence[Tensor], by: float) -> float:
    """The loss with all parameters moved; they are put back."""
    starts = [p.clone() for p in parameters]
    for parameter, direction in zip(parameters, directions, strict=True):
        parameter.add_(direction, alpha=by)
    with torch.enable_grad():  # as in training: a loss may itself ask for gradients
        value = float(loss().detach())
    for parameter, start in zip(parameters, starts, strict=True):
        parameter.copy_(start)
    return value
