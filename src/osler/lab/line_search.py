"""How far along a direction: the strong Wolfe conditions (Nocedal & Wright 2006, algorithms 3.5 and 3.6)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, " n"]

ENOUGH = 1e-4  # share of the promised fall that must be had
FLAT = 0.9  # share of the first slope that may be left


def strong_wolfe(
    function: Callable[[Vector], float],
    gradient: Callable[[Vector], Vector],
    place: Vector,
    direction: Vector,
    slope: Vector,
    *,
    first: float = 1.0,
) -> float:
    """A length at which the function has fallen enough and its slope is flatter, so that curvature is positive.

    Args:
        function: what is minimised.
        gradient: its gradient.
        place: where the line begins.
        direction: of descent.
        slope: the gradient at `place`.
        first: the length tried first.
    """
    start, steepness = function(place), float(slope @ direction)

    def fallen(length: float, value: float) -> bool:
        return value <= start + ENOUGH * length * steepness

    def along(length: float) -> float:
        return float(gradient(place + length * direction) @ direction)

    def between(low: float, high: float, low_value: float) -> float:
        """A length between a good one and a bad one, by bisection."""
        middle = low
        for _ in range(60):
            middle = (low + high) / 2
            value = function(place + middle * direction)
            if not fallen(middle, value) or value >= low_value:
                high = middle
                continue
            tilt = along(middle)
            if abs(tilt) <= -FLAT * steepness:
                return middle
            if tilt * (high - low) >= 0:
                high = low
            low, low_value = middle, value
        return middle

    before, before_value, length = 0.0, start, first
    for attempt in range(30):
        value = function(place + length * direction)
        if not fallen(length, value) or (attempt and value >= before_value):
            return between(before, length, before_value)
        tilt = along(length)
        if abs(tilt) <= -FLAT * steepness:
            return length
        if tilt >= 0:
            return between(length, before, value)
        before, before_value, length = length, value, 2 * length
    return length
