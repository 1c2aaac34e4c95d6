"""The loss grows."""

import math
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import (
    TaughtLoss,
    course,
    is_all_that_is_taught,
    rates_are_searched,
    taught_loss,
    why_not_plain,
)
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSeen

FAULT = Fault(
    name="diverging-loss",
    category="optimisation",
    phase="after",
    title="Loss diverges",
    symptom="The training loss is higher at the end than it was at the start, or has risen far above its lowest.",
    cause=(
        "Training lowers the loss of the batches that it sees. Where it rises and stays up, steps are too long for "
        "the slope, gradients grow, "
        "or what is computed as a loss is not what the steps go down on: a wrong sign, stale gradients, labels the "
        "loss has no bounds for."
    ),
    seen_by="the mean of the last tenth is at least twice the lowest tenth's and above the start, by more than the noise",
    remedies=(
        Remedy("lower the rate", "Divide the rate by 10; where the loss then falls, the steps were too long."),
        Remedy(
            "look for the cause above", "Check the sign of the loss, zero_grad, and the range of inputs and targets."
        ),
    ),
    sources=(
        "Ben Braiek, Khomh 2022 (TheDeepChecker): loss twice its lowest",
        "Godbole et al. 2023, Deep learning tuning playbook: a training loss that increases is a bug in the pipeline",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the end of the loss with its start and its lowest tenth."""
    if (
        why_not_plain(case)
        or rates_are_searched(case)
        or not case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)
    ):
        return
    loss, taught = course(case), taught_loss(case)
    if taught is not None and not is_all_that_is_taught(case, taught.loss):
        yield from _of_the_data(case, taught)
        return
    if len(loss.tenths) == 0 or loss.tenths.min() <= 0 or loss.start <= 0:
        return
    lowest = float(loss.tenths.min())
    noise = loss.noise / (len(loss.values) / 10) ** 0.5
    grown = loss.end > thresholds.DIVERGED * lowest and loss.end > thresholds.ABOVE_START * loss.start
    if not grown or (loss.end - loss.start < 4 * noise and loss.end < thresholds.DIVERGED_FOR_SURE * loss.start):
        return
    yield FAULT.found(
        f"the loss began at {loss.start:.3g}, its lowest tenth was {lowest:.3g}, and the last tenth is {loss.end:.3g}",
        where=case.where(case.losses()[0].site),
        certainty=0.55,
        series=case.loss_series(),
    )


def _whole_falls(case: Case) -> bool:
    """Whether what backward is called on ended surely below its start."""
    whole = course(case)
    return not whole.bad and whole.end < whole.start and whole.change(0.0, 1.0)[1] < -thresholds.FALLS_SURELY


def _grows_surely(loss: LossSeen) -> bool:
    """Whether the last third of enough calls lies above the first, by more than the scatter.

    A sum is taken for each of its rows: of an object detector's they are as many as objects were matched.
    """
    rows = loss.options.get("reduction") == "sum"
    each = [
        s.value / (max(1, s.input.shape[0]) if rows and s.input.shape else 1)
        for s in loss.samples
        if s.moment == "train"
    ]
    values = np.array([v for v in each if math.isfinite(v)])
    if len(values) < thresholds.VALUES_TO_DIVERGE:
        return False
    first, last = values[: len(values) // 3], values[-(len(values) // 3) :]
    error = math.sqrt(first.var(ddof=1) / len(first) + last.var(ddof=1) / len(last))
    return bool(last.mean() - first.mean() > thresholds.GROWS_SURELY * error)


def _of_the_data(case: Case, taught: TaughtLoss) -> Iterator[Finding]:
    """A loss that is one part of what backward is called on, or its negative: it grows while the whole may fall."""
    negative = bool(np.all(case.loss_part(0, 0.1) < 0)) and taught.early > 0
    highest = max((s.value for s in taught.loss.samples if math.isfinite(s.value)), default=taught.late)
    grown = max(taught.late, highest) if not math.isfinite(taught.late) else taught.late
    if not taught.early > 0 or not grown > thresholds.DIVERGED * taught.early or not math.isfinite(grown):
        return
    if not negative and (_whole_falls(case) or not _grows_surely(taught.loss)):
        return  # a part that the others outweigh, such as the distance to a codebook while codes spread
    sign = "; what backward is called on is its negative, so training climbs" if negative else ""
    backward = max(case.evidence.backwards, key=lambda b: b.calls).site
    yield FAULT.found(
        f"{taught.loss.function} itself began at {taught.early:.3g} and grew to {grown:.3g}{sign}",
        where=case.where(taught.loss.site if negative or backward is None else backward),
        certainty=0.8 if negative else 0.55,
        change="Take the minus sign away." if negative else None,
        series=case.loss_series(),
    )
