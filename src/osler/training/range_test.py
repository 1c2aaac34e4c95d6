"""The learning-rate range test: raise the rate at each update until the loss flies away (Smith 2017, section 3.3)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DIVERGED = 4.0  # times the smallest smoothed loss, measured from the floor of the range below it
SMOOTHING = 0.9  # share of the past in the running mean of the loss
MARGIN = 10.0  # from the rate of the smallest loss to one that is safe


@dataclass(frozen=True, slots=True)
class RangeTest:
    """The losses over rising learning rates, and what they suggest."""

    lrs: Float[np.ndarray, " updates"]
    losses: Float[np.ndarray, " updates"]  # as measured
    smoothed: Float[np.ndarray, " updates"]  # running means, bias corrected
    suggestion: float
    reason: str
    diverged_at: float | None = None  # the learning rate at which the test stopped, where it did


def range_test(step: Callable[[float], float], *, low: float = 1e-7, high: float = 10.0, steps: int = 100) -> RangeTest:
    """Tries learning rates from `low` to `high`, evenly spaced on a log scale, an update each.

    The suggestion is the rate at which the smoothed loss falls most steeply (against the log of the rate), but at most
    a tenth of the rate at which it is smallest: the steepest place is where training works best now, and the smallest
    loss is already close to the edge. The first tenth of the updates is too young to judge. The test stops when the
    smoothed loss exceeds four times its smallest or is no number.

    Args:
        step: makes one update at a learning rate and returns the loss before it. It changes what it trains: restore it
            afterwards.
        low: first learning rate, positive.
        high: last learning rate, greater than low.
        steps: updates, at least 10.

    Raises:
        ValueError: an impossible range or too few steps.
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"A range test needs 0 < low < high; given low={low}, high={high}.")
    if steps < 10:
        raise ValueError(f"A range test needs at least 10 steps; given {steps}.")
    lrs = np.geomspace(low, high, steps)
    losses: list[float] = []
    smoothed: list[float] = []
    mean, diverged_at = 0.0, None
    for i, lr in enumerate(lrs):
        loss = step(float(lr))
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        corrected = mean / (1 - SMOOTHING ** (i + 1))
        if not math.isfinite(loss) or (smoothed and corrected > _limit(smoothed)):
            diverged_at = float(lr)
            break
        losses.append(loss)
        smoothed.append(corrected)
    tried = lrs[: len(losses)]
    suggestion, reason = (
        suggest(tried, np.array(smoothed)) if len(losses) > 1 else (low, "the loss was no number from the start")
    )
    return RangeTest(tried, np.array(losses), np.array(smoothed), suggestion, reason, diverged_at)


def _limit(smoothed: list[float]) -> float:
    """The loss that counts as flown away. A loss may be negative: then the bound lies above the first loss."""
    least = min(smoothed)
    return DIVERGED * least if least > 0 else smoothed[0] + (DIVERGED - 1) * abs(smoothed[0] - least)


def suggest(lrs: Float[np.ndarray, " updates"], smoothed: Float[np.ndarray, " updates"]) -> tuple[float, str]:
    """The learning rate that a smoothed curve suggests, by the rule of `range_test`, and the reason."""
    begin = min(len(lrs) // 10, len(lrs) - 2)
    least = begin + int(np.argmin(smoothed[begin:]))
    if least == begin:
        return float(
            lrs[0]
        ), "the loss fell at no learning rate of the range; take a lower range, or look for another fault"
    slopes = np.gradient(smoothed, np.log(lrs))
    steepest = begin + int(np.argmin(slopes[begin : least + 1]))
    edge = lrs[least] / MARGIN
    if lrs[steepest] <= edge:
        return float(lrs[steepest]), "where the smoothed loss falls most steeply"
    return float(edge), f"a tenth of {lrs[least]:.2g}, where the smoothed loss is smallest"
