"""Steps are too short: the run ends before the weights have got anywhere."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import course, rates_are_searched, taught_loss, why_not_plain
from osler.doctor.settings import rate_line
from osler.doctor.update_sizes import effective_rate, is_adaptive, travelled, update_ratios
from osler.structures.finding import Finding, Remedy, Series
from osler.vitals.evidence import OptimizerSeen

FAULT = Fault(
    name="learning-rate-too-low",
    category="optimisation",
    phase="during",
    title="Learning rate is too low",
    symptom="The loss creeps down in a straight line, and has hardly left its start when the run is over.",
    cause=(
        "Each update changes the weights by so little that all updates together, had they gone in one direction, "
        "could not carry them "
        "to where the task is solved. The slope stays what it was at the start, so the loss falls in a line."
    ),
    seen_by="updates below 1e-4 of every weight matrix, most of the loss left at the end, and no sign that it was slowing down",
    remedies=(
        Remedy(
            "raise the rate",
            "Multiply the rate by 10 until the loss bends, or find it by a range test: `osler find-lr`.",
        ),
        Remedy(
            "use an adaptive optimizer", "Adam at 1e-3 makes steps of a usual size whatever the size of the gradient."
        ),
    ),
    sources=(
        "Karpathy, cs231n, Neural networks 3: updates about 1e-3 of the weights; a low rate makes the loss fall in a line",
        "Ben Braiek, Khomh 2022 (TheDeepChecker): ratio below 1e-4; Wardat et al. 2022 (DeepDiagnosis): 1e-5",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at update-to-weight ratios, at how far weights can have come, and at how much of the loss is left."""
    if why_not_plain(case) or rates_are_searched(case):
        return
    for optimizer in case.optimizers[:1]:
        finding = _of(case, optimizer)
        if finding is not None:
            yield finding


def _of(case: Case, optimizer: OptimizerSeen) -> Finding | None:
    ratios = [r for r in update_ratios(case, optimizer) if r.largest > 0]
    rate, usual = (
        effective_rate(optimizer),
        thresholds.LOW_ADAPTIVE_RATE if is_adaptive(optimizer) else thresholds.LOW_RATE,
    )
    if optimizer.steps < thresholds.RATE_STEPS or len(ratios) < 5 or rate >= usual or rate <= 0 or _loaded(case):
        return None
    usually = float(np.median([r.largest for r in ratios]))
    far = travelled(ratios, optimizer.steps)
    short = usually < thresholds.UPDATE_TOO_SMALL or far < thresholds.HARDLY_MOVED
    left = _left(case)
    short = short or (far < thresholds.HARDLY_MOVED_UNLEARNT and left > 0.9)
    if not short or not left > thresholds.HARDLY_LEARNT or not _straight(case):
        return None
    line = rate_line(case.script, optimizer)
    largest = max((r for _, r in optimizer.rates), default=rate)
    return FAULT.found(
        f"updates are {usually:.1e} of the weights at most matrices (healthy: about 1e-3); all {optimizer.steps:,} "
        f"together could have "
        f"moved them by {far:.1%}, and {left:.0%} of the loss is left",
        where=case.line(line) if line else case.where(optimizer.site),
        certainty=0.85,
        change=f"Raise the rate from {largest:g} to about {_better(largest, usually):.1g}."
        if optimizer.rates
        else None,
        series=(
            Series(
                "largest update as a share of its weights",
                tuple(r.step for r in ratios),
                tuple(r.largest for r in ratios),
            ),
        ),
    )


def _loaded(case: Case) -> bool:
    """Whether weights were loaded: then small steps are meant to be small."""
    return any(model.loaded for model in case.models)


def _left(case: Case) -> float:
    """The loss at the end as a share of a constant answer's, or of the first."""
    taught, loss = taught_loss(case), course(case)
    if taught is not None and taught.constant > 0:
        return min(taught.left, loss.end / loss.start if loss.start > 0 else taught.left)
    return loss.end / loss.start if loss.start > 0 else float("nan")


def _straight(case: Case) -> bool:
    """Whether the second half fell at least a third as fast as the first, or neither fell by more than the noise."""
    loss = course(case)
    early, _ = loss.change(0, 0.5)
    late, strength = loss.change(0.5, 1)
    if strength > 4:
        return False  # it rises
    return bool(late <= thresholds.STILL_AS_FAST * early or abs(early) < 0.1 * abs(loss.start))


def _better(rate: float, usually: float) -> float:
    return float(rate * min(1e4, max(10.0, 1e-3 / usually)))
