"""Many layers one after the other, with neither shortcuts nor normalisation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.layer_places import seen_of, where_made
from osler.doctor.loss_graph import NORMS_OF_BATCH, NORMS_OF_SAMPLE, Weighted, is_one_of
from osler.doctor.outcomes import best_learnt
from osler.structures.finding import Finding, Remedy, Severity

FAULT = Fault(
    name="too-deep-plain",
    category="model",
    phase="during",
    title="Very deep plain network",
    symptom="The loss does not move from that of constant answers; a shallower network learns the same task at once.",
    cause=(
        "Each layer multiplies the signal on its way up and the gradient on its way down. Without shortcuts or normalisation "
        "these factors pile up: after some tens of layers all samples look alike to the last layer, and the gradient of the "
        "first is that of noise."
    ),
    seen_by=(
        f"at least {thresholds.DEEP} layers with weights that every way passes, without norms, and the loss fell by less than "
        f"{thresholds.LEARNT_LITTLE:.0%} of what it could; from {thresholds.RATHER_DEEP} layers on where signal or "
        "gradient also shrank or grew a hundredfold on the way"
    ),
    remedies=(
        Remedy("add shortcuts", "Add each block's input to its output, as in a residual network."),
        Remedy("add normalisation", "Put batch norm or layer norm after each layer."),
        Remedy("remove layers", "Use a network of fewer layers."),
    ),
    sources=(
        "He, Zhang, Ren, Sun 2016, 'Deep residual learning', section 4.1: plain networks of 34 layers train worse than of 18",
        "Glorot, Bengio 2010, section 4.2; theorangeduck, 'My Neural Network isn't working!': network too deep",
    ),
)


@dataclass(frozen=True)
class _Course:
    """How signal and gradient change from the first layer to the last."""

    signal: float  # spread between samples of the last hidden layer over that of the first
    gradient: float  # root mean square at the first layer over that at the last hidden one

    @property
    def shrinks(self) -> bool:
        far = thresholds.DEPTH_FACTOR
        return any(v < 1 / far or v > far for v in (self.signal, self.gradient) if not math.isnan(v))


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Counts the layers with weights that all ways to the deepest one pass."""
    graphs = case.loss_graphs
    if not graphs:
        raise NotSeen("no graph of a loss was seen")
    for graph in graphs[:2]:
        plain = max((graph.passed_by_all(w.node) for w in graph.input_layers), key=len, default=[])
        plain = [w for w in plain if w.kind != "embedding"]
        norms = sum(is_one_of(n.operation, (*NORMS_OF_BATCH, *NORMS_OF_SAMPLE)) for n in graph.nodes)
        if len(plain) < thresholds.RATHER_DEEP or norms >= len(plain) / 3:
            continue
        course, fitted = _course(case, plain), _fitted(case)
        severity = _severity(len(plain), course, fitted)
        if severity is None:
            continue
        first = plain[-2] if len(plain) > 1 else plain[-1]
        yield FAULT.found(
            f"{len(plain)} layers with weights follow each other without a shortcut or a norm" + _told(course, fitted),
            severity=severity,
            where=where_made(case, first.layer, seen_of(case, first)),
            certainty=0.88 if len(plain) >= thresholds.DEEP else 0.72,
            change="Add each block's input to its output, put a norm after each layer, or use fewer layers.",
        )
        return


def _fitted(case: Case) -> float | None:
    """How much of the loss was learnt; of a loss that the program writes out, by how much it fell."""
    fitted = best_learnt(case)
    if fitted is None:
        first, last = case.loss_part(0.0, 0.05), case.loss_part(0.9, 1.0)
        if len(first) and len(last) and first.mean() > 0 and last.mean() > 0:
            fitted = 1 - float(last.mean() / first.mean())
    return fitted


def _severity(depth: int, course: _Course, fitted: float | None) -> Severity | None:
    poor = fitted is None or fitted < thresholds.LEARNT_LITTLE
    if depth >= thresholds.DEEP:
        return ("critical" if course.shrinks or fitted is not None else "warning") if poor else "note"
    return "warning" if poor and fitted is not None and course.shrinks else None


def _told(course: _Course, fitted: float | None) -> str:
    parts = []
    if not math.isnan(course.signal):
        parts.append(f"the spread between samples at the last hidden layer is {course.signal:.2g} of that at the first")
    if not math.isnan(course.gradient):
        parts.append(f"the first layer's gradient is {course.gradient:.2g} of the last one's")
    if fitted is not None:
        parts.append(f"the loss fell by {max(0.0, fitted):.0%} of what it could")
    return ": " + ", ".join(parts) if parts else ""


def _course(case: Case, plain: list[Weighted]) -> _Course:
    hidden = [seen_of(case, w) for w in plain[1:]]
    seen = [x for x in hidden if x is not None and x.samples]
    if len(seen) < 2:
        return _Course(math.nan, math.nan)
    last, first = seen[0].samples[0], seen[-1].samples[0]
    return _Course(_ratio(last.between_samples, first.between_samples), _ratio(first.gradient_rms, last.gradient_rms))


def _ratio(over: float, under: float) -> float:
    return over / under if under > 0 and math.isfinite(over) else math.nan
