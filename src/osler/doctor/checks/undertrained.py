"""Training stopped while it was still improving in a straight line, far from done."""

import math
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import Course, course, rates_are_searched, taught_loss, why_not_plain
from osler.doctor.performance import Share, best_accuracy, evaluation_loss
from osler.doctor.simple_fit import SimpleFit, simple_fit
from osler.doctor.training_loop import epochs_line
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="undertrained",
    category="evaluation",
    phase="after",
    title="Training stopped too early",
    symptom="The loss is still falling in a straight line when training ends, and has covered a small part of its way.",
    cause=(
        "Too few updates were made: too few epochs, a batch that is large for the data, or a rate so low that the "
        "same number "
        "of epochs covers little of the way. A loss that will settle bends before it does; one that falls as fast at "
        "the end "
        "as in the middle was cut off."
    ),
    seen_by=(
        "a loss that is still more than half of what a constant answer reaches and fell in the second half at least "
        "half as "
        "fast as in the first (or fewer than 40 updates), or that fell in the second half by a third of what it is "
        "at the end; "
        "while a simple model on the same data does better than the network"
    ),
    remedies=(
        Remedy("train longer", "Make more epochs, until the loss levels off."),
        Remedy(
            "make larger steps",
            "Raise the learning rate, or make batches smaller, so that an epoch covers more of the way.",
        ),
    ),
    sources=(
        "Google tuning playbook: a run still improving at its end wants more steps",
        "Stanford CS231n, notes on learning: a loss that falls in a straight line comes of a low rate",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the end of the loss curve."""
    if why := why_not_plain(case):
        raise NotSeen(why)
    if rates_are_searched(case):
        raise NotSeen("the learning rate is searched for, or goes in cycles")
    taught, seen = taught_loss(case), course(case)
    if taught is None or math.isnan(taught.left) or seen.bad:
        raise NotSeen("how low the loss of a constant answer is")
    if seen.end / taught.constant > thresholds.NOT_DIVERGED:
        return
    model = case.models[0]
    far = seen.end / taught.constant > thresholds.FAR_FROM_DONE
    straight = (_straight(seen) or _passes_straight(case, model)) if far else _steep(seen)
    reached = best_accuracy(case, model)
    comparable = reached is not None or taught.loss.function == "mse_loss"
    fit = simple_fit(model.train) if straight and comparable else None
    ahead = thresholds.MORE_TO_LEARN if far else thresholds.MUCH_MORE_TO_LEARN
    if straight is None or fit is None or not _learnable(fit, reached, seen.end / taught.constant, ahead):
        return
    updates = case.evidence.steps
    yield FAULT.found(
        f"the loss is {seen.end:.3g} after {updates:,} updates, and a constant answer reaches {taught.constant:.3g}; "
        f"{straight}; "
        f"{fit.method} on the same data {'gets' if reached else 'explains'} {fit.score:.0%}"
        + (f", the network {reached.value:.0%}" if reached else ""),
        severity="critical" if far else "warning",
        where=case.line(epochs_line(case)),
        certainty=0.6,
        change=(
            f"Train many times as long (now {updates:,} updates) until the loss levels off, or raise the learning rate."
        ),
        series=case.loss_series(),
    )


def _straight(seen: Course) -> str | None:
    """That the training loss fell surely, and in the second half hardly slower than in the first."""
    whole, errors = seen.change(0.0, 1.0)
    first, _ = seen.change(0.0, 0.5)
    second, late_errors = seen.change(0.5, 1.0)
    falls = whole < 0 or (math.isnan(whole) and seen.values[-1] < seen.values[0])
    if len(seen.values) <= thresholds.FEW_UPDATES and falls and seen.end > 0.5 * seen.highest:
        return "so few updates cover little of the way"
    if math.isnan(second):
        return None
    if errors < -thresholds.SLOPE_ERRORS and late_errors < -2 and second <= thresholds.HARDLY_SLOWER * first < 0:
        return f"it fell by {-first:.2g} over the first half and by {-second:.2g} over the second, in a straight line"
    return None


def _steep(seen: Course) -> str | None:
    """That the loss, though well under way, fell in the second half by much of what it is at the end."""
    change, errors = seen.change(0.5, 1.0)
    if errors < -thresholds.SLOPE_ERRORS and -change > thresholds.STEEP * seen.end:
        return f"over the second half it still fell by {-change:.2g}"
    return None


def _passes_straight(case: Case, model: ModelSeen) -> str | None:
    """The same of the validation loss, which is of the same samples each time and so hardly jitters."""
    seen = evaluation_loss(case, model)
    if seen is None or len(seen.values) < thresholds.PASSES_STRAIGHT or not np.all(np.diff(seen.values) < 0):
        return None
    middle = len(seen.values) // 2
    first, second = seen.values[0] - seen.values[middle], seen.values[middle] - seen.values[-1]
    spans = (seen.steps[middle] - seen.steps[0]) / max(1, seen.steps[-1] - seen.steps[middle])
    if second * spans < thresholds.HARDLY_SLOWER * first:
        return None
    return (
        f"the validation loss fell from {seen.values[0]:.4g} to {seen.values[-1]:.4g} in {len(seen.values)} passes, in a "
        "straight line"
    )


def _learnable(fit: SimpleFit, reached: Share | None, left: float, ahead: float) -> bool:
    """Whether a simple model is so far ahead of the network, whose share of the loss without learning is `left`."""
    if reached is None:
        return fit.score - max(0.0, 1 - left) > ahead
    error = math.sqrt(fit.error**2 + reached.variance)
    return fit.score - reached.value > max(ahead, 3 * error)


def still_short(case: Case, model: ModelSeen) -> bool:
    """Whether the loss was still falling clearly when training ended: what is missing then is time."""
    try:
        seen = course(case)
    except NotSeen:
        return False
    return _steep(seen) is not None or _straight(seen) is not None or _passes_straight(case, model) is not None
