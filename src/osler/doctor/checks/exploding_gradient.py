"""Gradients that grow without bound on their way back, or from update to update."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.checks.summed_loss import begins_with_a_sum
from osler.doctor.fault import Fault, check
from osler.doctor.gradient_course import over_calls, over_layers
from osler.doctor.initialising_lines import random_line
from osler.doctor.loss_course import why_not_plain
from osler.doctor.loss_graph import JOINING, RESHAPING, is_one_of
from osler.doctor.loss_left import has_learnt
from osler.structures.finding import Finding, Remedy, Series, Where
from osler.vitals.evidence import GraphNode, LayerSeen, ModelSeen, OptimizerSeen, StepSample

FAULT = Fault(
    name="exploding-gradient",
    category="optimisation",
    phase="during",
    title="Gradients explode",
    symptom="The loss leaps, or becomes NaN after some updates; weights are thrown far in one step.",
    cause=(
        "Where layers or time steps multiply the gradient by more than 1 each, the product grows as their power. One such step "
        "undoes all that was learnt."
    ),
    seen_by="a gradient at a cell's first call, or at the first layer, hundreds of times that at the last, or a "
    "norm of all gradients "
    "that grows a thousandfold, or beyond a million, without clipping",
    remedies=(
        Remedy("clip", "Clip the norm before each step: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)."),
        Remedy(
            "initialise",
            "Start recurrent matrices orthogonal, with a spectral radius of 1; others by He's or Glorot's rule.",
        ),
        Remedy("lower the rate", "Lower the learning rate, with a warm-up."),
    ),
    sources=(
        "Pascanu, Mikolov, Bengio 2013, section 3.2: clipping the norm",
        "Zhang et al. 2021 (AutoTrainer): ratio above 70; Braiek, Khomh 2023 (TheDeepChecker): above 1e6",
    ),
)


TERMS_FOLLOWED = 24  # operations from the loss on
RECURRENT = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at gradients over calls and layers, at those before the first update, and at their norm over time."""
    if why_not_plain(case) is not None or has_learnt(case, thresholds.LEARNT_THOUGH_EXPLODED):
        return
    if any(c.clipped for c in case.evidence.clippings):
        return
    for model in case.models:
        found = _over_time(case, model) or _over_layers(case, model)
        if found is not None:
            yield found
            return
    if _sums(case) and _recurrent(case) is None:
        return  # a sum over samples and pixels has large gradients by nature: what it does is the summed loss's affair
    for optimizer in case.optimizers:
        found = _from_the_start(case, optimizer) or _growing(case, optimizer)
        if found is not None:
            yield found
            return


def _sums(case: Case) -> bool:
    """Whether the loss is a sum, or holds one, where limits are for means."""
    summed = any(loss.options.get("reduction") == "sum" for loss in case.losses())
    return summed or any(b.graph and begins_with_a_sum(b.graph) for b in case.evidence.backwards)


def _terms(case: Case) -> float:
    """By how much limits for means grow for a loss that sums over places of a sample: about the number of its terms, by the first
    loss, since each is of the order of 1."""
    first = float(case.loss_curve[0, 1]) if len(case.loss_curve) else math.nan
    summed = any(b.graph and _sums_places(b.graph) for b in case.evidence.backwards)
    return max(1.0, first) if summed and math.isfinite(first) else 1.0


def _sums_places(graph: Sequence[GraphNode]) -> bool:
    """Whether the way from the loss goes over additions and products with numbers to a sum, such as one that the batch divides."""
    waiting, passed = [0], (*RESHAPING, *JOINING, "Neg", "Mul", "Div", "Mean")
    for _ in range(TERMS_FOLLOWED):
        if not waiting:
            return False
        node = graph[waiting.pop(0)]
        if is_one_of(node.operation, ("Sum",)):
            return True
        if is_one_of(node.operation, passed):
            waiting += [place for place in node.inputs if place < len(graph)]
    return False


def _over_time(case: Case, model: ModelSeen) -> Finding | None:
    for layer in case.layers(model):
        calls = over_calls(case, layer) if layer.parameters else None
        if calls is None:
            continue
        count, first, last = calls
        if last > 0 and first > thresholds.EXPLODED * last:
            return FAULT.found(
                f"{layer.name} runs {count} times in a step; the gradient at its first run is {first:.3g}, "
                f"{first / last:.3g} times "
                "that at its last",
                where=_where(case, layer),
                certainty=0.88,
            )
    return None


def _over_layers(case: Case, model: ModelSeen) -> Finding | None:
    course = over_layers(case, model, first_steps=5)
    if course is None or not course.ratio > thresholds.EXPLODED * 10 or course.early < 1:
        return None
    return FAULT.found(
        f"in the first updates the gradient of {course.names[0]} is {course.early:.3g}, {course.ratio:.3g} times that of "
        f"{course.names[-1]}",
        where=_where(case, model.layers[course.names[0]]),
        certainty=0.78,
    )


def _from_the_start(case: Case, optimizer: OptimizerSeen) -> Finding | None:
    """A gradient that is beyond all measure before any step was made: no rate can be the reason."""
    first = optimizer.samples[0] if optimizer.samples else None
    if first is None or first.step > 1 or not first.gradients:
        return None
    norm, recurrent = _norm(first), _recurrent(case)
    if norm < thresholds.NORM_AT_ONCE * (_terms(case) if recurrent is None else 1.0):
        return None
    told = f"{norm:.3g}" if math.isfinite(norm) else "beyond what float32 holds"
    through = (
        f"; it comes back through {recurrent.name}, which multiplies it at every step of the sequence"
        if recurrent
        else ""
    )
    worst = max(
        first.gradients, key=lambda name: first.gradients[name] if math.isfinite(first.gradients[name]) else math.inf
    )
    return FAULT.found(
        f"before the first update the norm of all gradients is {told} already, so that no learning rate is the reason{through}",
        where=_where(case, recurrent) if recurrent else case.where(None, worst.rpartition(".")[0]),
        certainty=0.88 if recurrent else 0.7,
        series=_series(optimizer),
    )


def _growing(case: Case, optimizer: OptimizerSeen) -> Finding | None:
    """A norm that leaves what it was by orders of magnitude while the loss does not fall."""
    norms = [(s.step, _norm(s)) for s in optimizer.samples if s.gradients]
    finite = [(step, n) for step, n in norms if math.isfinite(n)]
    if len(norms) < 5 or len(finite) < 3:
        return None
    start = float(np.median([n for _, n in finite[:3]]))
    peak_step, peak = max(finite, key=lambda pair: pair[1])
    grown = peak > thresholds.NORM_GREW * start > 0 and peak > thresholds.NORM_LARGE
    if not grown and not peak > thresholds.NORM_ANYWAY:
        return None
    recurrent = _recurrent(case)
    return FAULT.found(
        f"the norm of all gradients goes from {start:.3g} at the start to {peak:.3g} at update {peak_step}"
        + (", and then to numbers that are not finite" if len(finite) < len(norms) else "")
        + "; nothing clips it",
        where=_where(case, recurrent) if recurrent else case.where(next(iter(optimizer.step_sites), optimizer.site)),
        certainty=0.78 if recurrent else 0.68,
        series=_series(optimizer),
    )


def _norm(sample: StepSample) -> float:
    return math.sqrt(sum(g * g for g in sample.gradients.values()))


def _recurrent(case: Case) -> LayerSeen | None:
    """The first layer that runs along a sequence, in one call or in many."""
    layers = [x for model in case.models for x in case.layers(model) if x.parameters]
    return next((x for x in layers if x.kind in RECURRENT or over_calls(case, x) is not None), None)


def _where(case: Case, layer: LayerSeen) -> Where:
    """The line that sets the layer's weights, else its own; of a cell's part the cell's name."""
    attribute = next((part for part in reversed(layer.name.split(".")) if not part.isdigit()), layer.name)
    line = random_line(case, layer.name)
    line = line if line and attribute in case.script.lines[line - 1] else None
    owner = layer.name if layer.kind in RECURRENT else layer.name.rpartition(".")[0] or layer.name
    return case.line(line, owner) if line else case.where(layer.site, owner)


def _series(optimizer: OptimizerSeen) -> tuple[Series, ...]:
    norms = [(s.step, _norm(s)) for s in optimizer.samples if s.gradients and math.isfinite(_norm(s))]
    return (Series("gradient norm", tuple(s for s, _ in norms), tuple(n for _, n in norms)),) if norms else ()
