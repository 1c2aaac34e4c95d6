"""Another learning rate, by as much as the sizes of the updates ask for."""

import math
from collections.abc import Iterator

import numpy as np

from osler.doctor.case import Case
from osler.doctor.mending.number_edit import third
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.rate_edit import as_adam, most_used, scale_rates, set_rates
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.update_sizes import effective_rate, is_adaptive, update_ratios
from osler.structures.finding import Finding
from osler.vitals.evidence import OptimizerSeen

USUAL = 3e-3  # update of a matrix against its weights, in the first updates of runs that learn
ADAPTIVE = 10.0  # times as large where each weight moves by about the rate, at least in the first updates
PUBLISHED = {
    "Adam": 1e-3,
    "AdamW": 1e-3,
    "NAdam": 1e-3,
    "RAdam": 1e-3,
    "Adamax": 2e-3,
    "RMSprop": 1e-3,
    "Adagrad": 1e-2,
}  # rates
EARLY = 10  # sampled updates at the start
LEAST_CHANGE = 3.0  # a rate that is changed by less is not changed
MOST_CHANGE = 1e5
HIGHEST = 1.0  # rate of plain SGD to which one is raised
CHOICE = "learning rate"


@prescribes("learning-rate-too-high", "diverging-loss")
def lower(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A lower rate by the sizes of the first updates, and smaller ones: one that is still too high is seen at once."""
    optimizer = most_used(case)
    factor = min(_wanted(case, optimizer), 1 / LEAST_CHANGE)
    yield _at(case, optimizer, factor, "lower the rate")
    yield _at(case, optimizer, factor / 3, "lower the rate further")
    yield _at(case, optimizer, factor / 10, "lower the rate most")


@prescribes("learning-rate-too-low")
def higher(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A higher rate: by the sizes of the updates, and a third of that; else an optimizer whose steps have a usual size."""
    optimizer = most_used(case)
    factor = max(_wanted(case, optimizer), LEAST_CHANGE)
    yield _at(case, optimizer, factor, "raise the rate")
    yield _at(case, optimizer, factor / 3, "raise the rate less")
    yield from _adam(case, optimizer)


@prescribes("oscillating-loss")
def calmer(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A tenth of the rate, and a third."""
    optimizer = most_used(case)
    yield _at(case, optimizer, 0.1, "lower the rate")
    yield _at(case, optimizer, 0.3, "lower the rate a little")


@prescribes("plateau")
def other(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The rate that the sizes of the updates ask for; else ten times and a tenth; else steps of a usual size."""
    optimizer = most_used(case)
    factor = _wanted(case, optimizer)
    if not 1 / LEAST_CHANGE < factor < LEAST_CHANGE:
        yield _at(case, optimizer, factor, "lower the rate" if factor < 1 else "raise the rate")
    else:
        yield _at(case, optimizer, 0.1, "lower the rate")
        yield _at(case, optimizer, 10, "raise the rate")
    yield from _adam(case, optimizer)


def _wanted(case: Case, optimizer: OptimizerSeen) -> float:
    """The factor that brings the usual update of a weight matrix to a healthy share of the weights.

    A rate far from the published one of an adaptive optimizer is brought back to that.
    """
    now, published = _rate(optimizer), PUBLISHED.get(optimizer.kind)
    if published is not None and not 1 / LEAST_CHANGE < now / published < LEAST_CHANGE:
        return published / now
    units = [r.middle / r.lr for r in update_ratios(case, optimizer)[:EARLY] if r.lr > 0 and r.middle > 0]
    if not units:
        return 1.0
    momentum = optimizer.options[0].get("momentum") if optimizer.options else 0.0
    first = units[0] / (1 - momentum) if isinstance(momentum, float) and 0 < momentum < 1 else units[0]
    early = now * min(first, float(np.median(units)))  # later ones may have been driven up by the rate itself
    usual = USUAL * (ADAPTIVE if is_adaptive(optimizer) else 1)
    most = max(1.0, HIGHEST / effective_rate(optimizer)) if not is_adaptive(optimizer) else MOST_CHANGE
    return float(np.clip(usual / early, 1 / MOST_CHANGE, most))


def _rate(optimizer: OptimizerSeen) -> float:
    """The largest rate that was used.

    Raises:
        CannotEditError: there was none above 0.
    """
    rate = max((rate for _, rate in optimizer.rates), default=math.nan)
    if not rate > 0:
        raise CannotEditError("No rate above 0 was used.")
    return rate


def _at(case: Case, optimizer: OptimizerSeen, factor: float, remedy: str) -> Prescription:
    now = _rate(optimizer)

    def change(edit: ScriptEdit) -> None:
        scale_rates(edit, case, optimizer, factor)

    return Prescription(
        remedy, f"Set the learning rate to {third(now * factor)} in place of {now:g}.", change, choice=CHOICE
    )


def _adam(case: Case, optimizer: OptimizerSeen) -> Iterator[Prescription]:
    """Adam in the place of plain SGD."""
    if optimizer.kind != "SGD":
        return

    def change(edit: ScriptEdit) -> None:
        set_rates(edit, case, optimizer, "0.001")
        as_adam(edit, case, optimizer)

    yield Prescription(
        "use an adaptive optimizer", "Use Adam with a rate of 0.001 in place of SGD.", change, choice=CHOICE
    )
