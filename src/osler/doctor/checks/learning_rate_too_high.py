"""Steps are too long: the loss leaps, and what was learnt is thrown away."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import course, rates_are_searched, taught_loss, why_not_plain
from osler.doctor.settings import rate_line
from osler.doctor.update_sizes import Ratio, effective_rate, is_adaptive, update_ratios
from osler.structures.finding import Finding, Remedy, Series, Where
from osler.vitals.evidence import OptimizerSeen

FAULT = Fault(
    name="learning-rate-too-high",
    category="optimisation",
    phase="during",
    title="Learning rate is too high",
    symptom="The loss leaps up within the first updates and stays near a constant answer's, swings, or grows to NaN.",
    cause=(
        "A step is right only as far as the slope stays what it was. Longer steps land higher on the other side of "
        "the valley; a few of "
        "them can drive the inputs of ReLU units so far below zero that no gradient ever comes back."
    ),
    seen_by=(
        "updates of more than a tenth of the weights, together with a loss that leaps above its start or ends no lower than a "
        "constant answer's; healthy updates are near a thousandth"
    ),
    remedies=(
        Remedy("lower the rate", "Divide the rate by 10, or find it by a range test: `osler find-lr`."),
        Remedy("warm up", "Let the rate rise from nearly 0 over the first 5 % of the updates."),
        Remedy("clip the gradient", "Clip its norm near the 90th percentile where only single batches leap."),
    ),
    sources=(
        "Karpathy, cs231n, Neural networks 3: updates should be about 1e-3 of the weights",
        "Ben Braiek, Khomh 2022 (TheDeepChecker): ratio above 0.1; Wardat et al. 2022 (DeepDiagnosis): 0.1",
        "Smith 2017, Cyclical learning rates, section 3.3: range test",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at update-to-weight ratios, and at what the loss did after large ones."""
    if why_not_plain(case) or rates_are_searched(case):
        return
    for optimizer in case.optimizers:
        finding = _of(case, optimizer)
        if finding is not None:
            yield finding
            return


def _of(case: Case, optimizer: OptimizerSeen) -> Finding | None:
    ratios = update_ratios(case, optimizer)
    if optimizer.steps < thresholds.RATE_STEPS or not ratios or optimizer.kind == "LBFGS":
        return None
    large = [r for r in ratios if r.largest > thresholds.UPDATE_TOO_LARGE]
    if not large:
        return None
    most = max(large, key=lambda r: r.largest)
    unusual = _unusual(optimizer)
    outcome, certainty = _outcome(case, optimizer, ratios, unusual)
    if outcome is None:
        return None
    return FAULT.found(
        f"at update {most.step} a weight matrix changed by {most.largest:.0%} of its size (healthy: about 0.1 %), and {outcome}",
        where=_where(case, optimizer),
        certainty=min(0.9, certainty + (0.12 if unusual else 0.0)),
        change=f"Lower the rate from {_rate(optimizer):g} to about {_rate(optimizer) / 30:.1g}."
        if optimizer.rates
        else None,
        series=_series(ratios),
    )


def _outcome(case: Case, optimizer: OptimizerSeen, ratios: list[Ratio], unusual: bool) -> tuple[str | None, float]:
    """What became of the loss, in words, and how sure that makes of the rate; None where it went well."""
    loss, taught = course(case), taught_loss(case)
    first = loss.start if loss.first <= 0 else loss.first
    reference = taught.constant if taught is not None and taught.constant > 0 else first
    end = taught.late if taught is not None and taught.constant > 0 else loss.end
    if loss.bad:
        before = loss.values[-1]
        return (
            (f"the loss grew from {first:.3g} to {before:.3g} and then to NaN", 0.72)
            if before > 2 * first
            else (None, 0.0)
        )
    if not reference > 0:
        return None, 0.0
    leapt = loss.highest > thresholds.LEAP * max(first, reference)
    again = sum(r.largest > thresholds.UPDATE_TOO_LARGE for r in ratios if r.step > 3) >= thresholds.LARGE_UPDATES
    if end > thresholds.NO_BETTER_THAN_CONSTANT * reference and (leapt or again):
        leap = f"the loss leapt from {first:.3g} to {loss.highest:.3g} and " if leapt else "the loss "
        return f"{leap}ends at {end:.3g}, where a constant answer would give {reference:.3g}", 0.74 if leapt else 0.62
    if leapt and unusual and end > thresholds.UNUSUAL_LEFT * reference:
        return f"the loss leapt from {first:.3g} to {loss.highest:.3g} and ends at {end:.3g}", 0.62
    if unusual and again and end > thresholds.HARDLY_LEARNT * reference:
        return f"the loss began at {first:.3g} and ends at {end:.3g}, at a rate beyond the usual", 0.6
    far = unusual and case.classifies and effective_rate(optimizer) >= thresholds.FAR_UNUSUAL_ADAPTIVE_RATE
    deep, stuck = len(ratios[0].by_matrix) > 1, end > thresholds.FAR_UNUSUAL_LEFT * reference
    if far and again and deep and stuck and loss.change(0.6, 1.0)[1] > -4:
        return f"the loss stands at {end:.3g} after a start of {first:.3g}, at a rate far beyond the usual", 0.58
    late = [r.middle for r in ratios if r.step > ratios[-1].step / 2]
    if end > thresholds.HARDLY_LEARNT * reference and late and np.median(late) > thresholds.UPDATE_STAYS_LARGE:
        return (
            f"late updates are still {np.median(late):.1%} of the weights, with the loss at {end:.3g} after a start "
            f"of {first:.3g}",
            0.66,
        )
    return None, 0.0


def _unusual(optimizer: OptimizerSeen) -> bool:
    """Whether the rate alone is outside of what is usual for this kind of optimizer."""
    if is_adaptive(optimizer):
        return effective_rate(optimizer) >= thresholds.UNUSUAL_ADAPTIVE_RATE
    return effective_rate(optimizer) >= thresholds.UNUSUAL_RATE


def _rate(optimizer: OptimizerSeen) -> float:
    return max((rate for _, rate in optimizer.rates), default=float("nan"))


def _where(case: Case, optimizer: OptimizerSeen) -> Where:
    line = rate_line(case.script, optimizer)
    return case.line(line) if line else case.where(optimizer.site)


def _series(ratios: list[Ratio]) -> tuple[Series, ...]:
    name = "largest update as a share of its weights"
    return (Series(name, tuple(r.step for r in ratios), tuple(r.largest for r in ratios)),)
