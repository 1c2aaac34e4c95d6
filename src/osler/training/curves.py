"""Courses of the learning rate: each a function from an update's number (from 0) to a factor of the base rate.

They are closed forms, so that a resumed run needs the number only, and equal `torch.optim.lr_scheduler`'s (tests).
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Literal

Curve = Callable[[int], float]

SLACK = 1e-9  # 0.1 epochs of 30 updates are 3.0000000000000004 of them
WARMUP_START = 1e-3  # factor of the first update under warm-up


def constant() -> Curve:
    """1 throughout."""
    return lambda update: 1.0


def staircase(every: float, gamma: float) -> Curve:
    """gamma ** (number of whole periods of `every` updates that have passed); PyTorch's StepLR."""
    return lambda update: gamma ** int(update / every + SLACK)


def milestones(at: Sequence[float], gamma: float) -> Curve:
    """gamma ** (number of the updates in `at`, ascending, that have been reached); PyTorch's MultiStepLR."""
    at = tuple(at)
    return lambda update: gamma ** bisect_right(at, update + SLACK)


def cosine(length: int, final: float) -> Curve:
    """Half a cosine from 1 at update 0 to `final` at update `length`, constant after (Loshchilov & Hutter 2017)."""
    return lambda update: final + (1 - final) * (1 + math.cos(math.pi * min(update, length) / length)) / 2


def polynomial(length: int, power: float, final: float) -> Curve:
    """(1 - update / length) ** power from 1 to `final`, and `final` after; PyTorch's PolynomialLR for final 0."""
    return lambda update: final + (1 - final) * (1 - min(update, length) / length) ** power


def warmup(length: int, then: Curve, *, restart: bool) -> Curve:
    """Rises in a straight line from WARMUP_START to 1 at update `length`.

    Args:
        length: updates of the rise, at least 1.
        then: the curve that follows.
        restart: whether `then` begins at update `length` (PyTorch's SequentialLR); else it runs from update 0 and the
            rise is a factor of it (ChainedScheduler), as in Goyal et al. 2017, where milestones count from the start
            of the run.
    """
    slope = (1 - WARMUP_START) / length
    if restart:
        return lambda update: WARMUP_START + slope * update if update < length else then(update - length)
    return lambda update: (WARMUP_START + slope * update) * then(update) if update < length else then(update)


Phase = tuple[float, float, float]  # last update, value at its start, value at its end


def phases(parts: Sequence[Phase], anneal: Literal["cos", "linear"]) -> Curve:
    """Pieces joined end to end, each going from its first to its second value by half a cosine or a straight line.

    A piece begins where the one before it ends, the first at update 0; after the last, its end value stays.
    """

    def value(update: int) -> float:
        begin = 0.0
        for end, first, second in parts:
            if update <= end or (end, first, second) == parts[-1]:
                share = min(1.0, (update - begin) / (end - begin)) if end != begin else 1.0
                if anneal == "cos":
                    return second + (first - second) * (1 + math.cos(math.pi * share)) / 2
                return first + (second - first) * share
            begin = end
        raise AssertionError("a curve has at least one phase")

    return value


def onecycle(
    length: int, rise: float, *, low: float, top: float, final: float, three_phases: bool
) -> tuple[Phase, ...]:
    """The phases of the 1cycle policy (Smith & Topin 2019) over `length` updates: from `low` to `top`, then to `final`.

    `rise` is the share of the updates that go up; with three phases, as many go back down to `low` before the fall to
    `final`.
    """
    up = (rise * length - 1, low, top)
    if three_phases:
        return up, (2 * rise * length - 2, top, low), (length - 1, low, final)
    return up, (length - 1, top, final)
