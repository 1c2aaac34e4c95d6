"""Targets of a regression are orders of magnitude away from what a fresh network puts out."""

import math
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.data_lines import assigns, calls_any, converts, line_of, nearest, scales
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import acts
from osler.doctor.own_losses import regression_losses
from osler.doctor.provenance import Step
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSample

FAULT = Fault(
    name="target-not-scaled",
    category="data",
    phase="before",
    title="Regression targets are not scaled",
    symptom="The loss is huge and falls in a straight line, or explodes; outputs stay near one number.",
    cause=(
        "A fresh network puts out numbers near 0 with a spread below 1. Where targets are hundreds or millions, its last layer "
        "must first grow by that factor, at a rate that suits no other layer; plain gradient descent gets gradients of that size "
        "and diverges."
    ),
    seen_by=(
        "targets are over 30 times as large as what the fresh network puts out (or under a thousandth of it), and at the end the "
        "outputs still miss the targets' mean by half a spread or explain under a fifth of their spread"
    ),
    remedies=(
        Remedy(
            "scale the targets",
            "Subtract the training targets' mean and divide by their spread; undo it where outputs are read.",
        ),
        Remedy("set the last bias", "Start the last layer's bias at the mean of the targets."),
    ),
    sources=(
        "Karpathy 2019, A Recipe for Training Neural Networks: initialise the last bias well",
        "Braiek and Khomh 2022 (TheDeepChecker): scale of labels",
        "the doctor's own calibration of the limits",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares targets with the first and the last outputs."""
    losses = regression_losses(case)
    if not losses:
        raise NotSeen("no loss of a regression was seen")
    if any(acts(case, model) for model in case.evidence.trained_models):
        raise NotSeen("a network that acts makes its own targets, which grow with its skill")
    for loss in losses[:2]:
        samples = [
            s for s in loss.samples if s.moment == "train" and s.target is not None and math.isfinite(s.target.mean)
        ]
        if not samples or loss.target_is_integer:
            continue
        target = _pooled(samples)
        fresh = samples[0].input
        output = math.hypot(fresh.mean, fresh.std) if math.isfinite(fresh.mean) else 1.0
        ratio = target.rms / max(output, 0.1)
        large = ratio > thresholds.TARGET_OVER_OUTPUT
        small = target.spread > 0 and target.rms < thresholds.TARGET_UNDER_OUTPUT * min(1.0, max(output, 0.1))
        wide = target.spread / max(output, 0.1) > thresholds.TARGET_OVER_OUTPUT
        missed = _missed(samples, target, wide or small) if large or small else None
        if missed is None:
            continue
        steps = case.lines.targets(loss) or case.lines.companions(case.models[0])
        step = nearest(
            steps,
            lambda s: assigns(s) and (converts(s) or scales(s) or _computes(s)),
            converts,
            assigns,
            calls_any("DataLoader"),
        )
        last = next((p.layer for p in loss.made_by if p.layer), None)
        yield FAULT.found(
            f"targets lie between {target.low:.4g} and {target.high:.4g}, while the fresh network put out {fresh.mean:.2g} "
            f"with a spread of {fresh.std:.2g}; {missed}",
            where=case.line(line_of(step), last) if step is not None else case.where(loss.site, last),
            certainty=0.88,
        )


class _Target:
    """All targets seen, in four numbers."""

    def __init__(self, mean: float, spread: float, low: float, high: float) -> None:
        self.mean, self.spread, self.low, self.high = mean, spread, low, high
        self.rms = math.hypot(mean, spread)


def _pooled(samples: list[LossSample]) -> _Target:
    seen = [s.target for s in samples if s.target is not None]
    means, spreads = np.array([t.mean for t in seen]), np.array([t.std for t in seen])
    spread = float(np.sqrt(np.mean(spreads**2) + means.var()))
    return _Target(float(means.mean()), spread, min(t.low for t in seen), max(t.high for t in seen))


def _missed(samples: list[LossSample], target: _Target, wide: bool) -> str | None:
    """How the last outputs miss the targets; None where they do not.

    A mean that is met and a spread that is not come of the scale only where the spread itself is far from the first
    outputs (`wide`): otherwise what is missing was not learnt for another reason.
    """
    last = samples[-max(1, min(5, len(samples) // 4)) :]
    means, spreads = [s.input.mean for s in last], [s.input.std for s in last]
    if not all(math.isfinite(m) for m in means) or not all(math.isfinite(s.value) for s in last):
        return "in the end outputs are not finite"
    off = abs(float(np.mean(means)) - target.mean) / max(target.spread, 1e-12)
    share = float(np.mean(spreads)) / max(target.spread, 1e-12)
    if off > thresholds.MISSED_SPREADS:
        return f"in the end the mean output, {np.mean(means):.4g}, is {off:.2g} spreads away from the mean target"
    if wide and not 0.2 <= share <= 5:
        return f"in the end outputs have {share:.2g} times the spread of the targets"
    return None


def _computes(step: Step) -> bool:
    return any(mark in step.text for mark in ("*", "+", "(", "/"))
