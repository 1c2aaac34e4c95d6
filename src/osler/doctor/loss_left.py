"""How much of the loss is left at the end: whether a network has learnt in spite of what looks wrong."""

import math

from osler.doctor.case import Case
from osler.doctor.fault import NotSeen
from osler.doctor.loss_course import course, taught_loss


def loss_left(case: Case) -> float:
    """The late loss as a share of the best constant answer's; of the first loss where that is not known.

    NaN where no loss was seen; infinite where it ended as no number.
    """
    try:
        curve = case.loss_curve[:, 1]
        if len(curve) and not math.isfinite(curve[-1]):
            return math.inf
        taught, seen = taught_loss(case), course(case)
    except NotSeen:
        return math.nan
    if taught is not None and math.isfinite(taught.left):
        return taught.left
    return seen.end / seen.start if seen.start > 0 else math.nan


def has_learnt(case: Case, left: float) -> bool:
    """Whether no more than this share is left; False where it is not known."""
    return loss_left(case) <= left
