"""The slope of a function along one number, by moving it a little to both sides, and kinks that lie within the move.

A central difference over a step h is off by h^2 f'''/6 where the function is smooth, and by the rounding of f over h
(Goodfellow, Bengio, Courville 2016, section 11.5). At a kink it is neither the slope on the left nor that on the right.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

FINER = (1.0, 1e-1, 1e-2)  # of the step: a kink beside the point falls out of a smaller one
JUMP = 0.05  # relative: slopes on the two sides that differ by more do not come from curvature


@dataclass(frozen=True, slots=True)
class Slope:
    """How a function rises at one number of a tensor."""

    central: float
    left: float
    right: float
    step: float

    @property
    def bent(self) -> bool:
        """Whether the two sides differ by more than curvature would make them."""
        return abs(self.right - self.left) > JUMP * max(abs(self.left), abs(self.right))


@torch.no_grad()
def slope_at(function: Callable[[], float], tensor: Tensor, index: int, step: float) -> Slope:
    """Moves the number at a flat `index` of a contiguous tensor by `step` to both sides, and puts it back."""
    flat = tensor.detach().view(-1)
    start = flat[index].clone()
    try:
        middle = function()
        flat[index] = start + step
        above = function()
        flat[index] = start - step
        below = function()
    finally:
        flat[index] = start
    return Slope((above - below) / (2 * step), (middle - below) / step, (above - middle) / step, step)


def refined_slope(
    function: Callable[[], float], tensor: Tensor, index: int, step: float, *, expected: float, within: float
) -> tuple[Slope, bool]:
    """The slope at the first of three steps, each a tenth of the one before, at which it is `expected` to `within`; and
    whether a kink lay within the first step: the slope came right, or its two sides stay different however small the step.
    """
    first = found = slope_at(function, tensor, index, step)
    best = first
    for share in FINER[1:]:
        if abs(best.central - expected) <= within:
            return best, best is not first
        found = slope_at(function, tensor, index, step * share)
        if abs(found.central - expected) < abs(best.central - expected):
            best = found
    if abs(best.central - expected) <= within:
        return best, best is not first
    return best, found.bent


def kink_near(function: Callable[[], float], tensor: Tensor, index: int, step: float, halvings: int = 20) -> float:
    """How far from the number's place the slope jumps, within one step; nan where it does not.

    The slopes at both ends are compared, and the interval between them is halved.
    """
    flat = tensor.detach().view(-1)
    start, low, high, reach = flat[index].clone(), -step, step, step / 64

    def slope(offset: float) -> float:
        with torch.no_grad():
            flat[index] = start + offset
            return slope_at(function, tensor, index, reach).central

    try:
        left, right = slope(low), slope(high)
        if abs(right - left) <= JUMP * max(abs(left), abs(right)):
            return math.nan
        for _ in range(halvings):
            middle = (low + high) / 2
            if abs(slope(middle) - left) < abs(slope(middle) - right):
                low = middle
            else:
                high = middle
        return (low + high) / 2
    finally:
        with torch.no_grad():
            flat[index] = start
