"""Even the training data are not learnt, though they could be."""

import math
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import REGRESSION_LOSSES, Case
from osler.doctor.checks.undertrained import still_short
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import Course, course, rates_are_searched, why_not_plain
from osler.doctor.performance import best_accuracy
from osler.doctor.simple_fit import simple_fit
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="underfitting",
    category="evaluation",
    phase="after",
    title="The network underfits",
    symptom="Training and validation are equally bad; the training loss stops well above zero.",
    cause=(
        "The network cannot express what the data need (too few units or layers, no nonlinearity, a bottleneck), or "
        "it is held "
        "back: by strong weight decay, a penalty in the loss, heavy dropout, or an optimizer that does not get on."
    ),
    seen_by=(
        "answers on training data that are worse, by 15 points and four standard errors, than those of nearest "
        "neighbours or "
        "linear regression in cross-validation on the same samples, with a loss that no longer falls"
    ),
    remedies=(
        Remedy("give it more room", "Use more units or layers, with a nonlinearity between them."),
        Remedy(
            "hold it back less",
            "Lower weight decay, dropout and penalties in the loss until the training data are learnt.",
        ),
        Remedy(
            "fit one batch first",
            "Train on a single batch until its loss is near zero; if that fails, something is broken.",
        ),
    ),
    sources=(
        "Stanford CS231n, notes on learning: no gap and a low accuracy mean that the capacity is too small",
        "Karpathy 2019, A Recipe for Training Neural Networks: overfit one batch",
        "Braiek, Khomh 2023 (TheDeepChecker): cannot fit a small sample",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Lays the network's answers on training data beside those of a simple model."""
    if why := why_not_plain(case):
        raise NotSeen(why)
    if rates_are_searched(case):
        raise NotSeen("the learning rate is searched for, or goes in cycles")
    model = case.models[0]
    if _may_still_fall(course(case)) or still_short(case, model):
        return  # what is missing is time
    seen = _of_classes(case, model) or _of_numbers(case, model)
    if seen is None:
        return
    yield FAULT.found(seen, severity="warning", where=_where(case, model), certainty=0.5, series=case.loss_series())


def _may_still_fall(seen: Course) -> bool:
    """Whether the last third fell by more than a little, or by no more but so few updates cannot tell."""
    change, errors = seen.change(2 / 3, 1.0)
    little = thresholds.STILL_FALLS * seen.end
    surely = errors < -2 and -change > little
    perhaps = change < 0 and errors != 0 and -change + 2 * abs(change / errors) > little
    return surely or (perhaps and len(seen.values) < thresholds.UPDATES_TO_LEVEL)


def _of_classes(case: Case, model: ModelSeen) -> str | None:
    best = best_accuracy(case, model)
    if best is None or not case.classifies or best.value > thresholds.LEARNT_WELL:
        return None
    fit = simple_fit(model.train)
    if fit is None or fit.score - best.value < max(thresholds.UNDERFIT, 4 * math.sqrt(fit.error**2 + best.variance)):
        return None
    return (
        f"at the end {best.value:.0%} of {best.count:,} answers are right ({best.source}); "
        f"{fit.method} on {fit.count:,} of the same samples reaches {fit.score:.0%}"
    )


def _of_numbers(case: Case, model: ModelSeen) -> str | None:
    losses = case.losses(*REGRESSION_LOSSES)
    last = model.last_training
    if case.classifies or not losses or last is None or not last.errors or not last.spreads:
        return None
    error, spread = float(np.mean(last.errors)), float(np.mean([s for _, s in last.spreads]))
    if not spread > 0 or error < thresholds.ERROR_OF_SPREAD * spread:
        return None
    fit = simple_fit(model.train)
    if fit is None or fit.score < thresholds.EXPLAINED:
        return None
    return (
        f"the mean error in the last training steps is {error:.3g}, {error / spread:.0%} of the targets' spread, and "
        f"the loss "
        f"at the end {course(case).end:.3g}; {fit.method} on {fit.count:,} of the same samples explains "
        f"{fit.score:.0%} of the variance"
    )


def _where(case: Case, model: ModelSeen) -> Where:
    """The narrowest layer with weights between input and output."""
    layers = [x for x in case.layers(model) if x.parameters and x.output_shape][:-1]
    widths = [(x.output_shape[1] if len(x.output_shape) > 1 else 1, x.name) for x in layers if x.output_shape]
    name = min(widths)[1] if widths else None
    return case.where(None, name) if name else case.line(model.site.line if model.site else None)
