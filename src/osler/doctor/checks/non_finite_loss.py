"""A loss, gradient or weight that is no longer a number."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.edge_lines import Suspect, edge_at
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LayerSeen, LossSample, LossSeen

FAULT = Fault(
    name="non-finite-loss",
    category="optimisation",
    phase="during",
    title="Loss, gradient or weight becomes NaN or infinite",
    symptom="The loss prints as nan or inf, and stays so; accuracy is that of the first class.",
    cause=(
        "One value that is not finite spreads to all weights with the next step. It comes from a division by zero, a logarithm of "
        "zero, a square root whose slope at zero is infinite, an overflow, or from the data."
    ),
    seen_by="the first value that is not finite among inputs, outputs of layers, losses, gradients and weights, "
    "in the order of time",
    remedies=(
        Remedy(
            "keep away from the edge",
            "Add a small number inside of the square root, logarithm or divisor, such as (x + 1e-8).sqrt().",
        ),
        Remedy(
            "stable functions",
            "Use the functions that combine both steps: log_softmax, logsigmoid, cross_entropy with logits.",
        ),
        Remedy("lower the rate", "If it overflows after growing, lower the learning rate, or clip gradients."),
    ),
    sources=(
        "PyTorch documentation, Autograd mechanics: gradients of non-differentiable functions",
        "Amazon SageMaker Debugger, ExplodingTensor",
    ),
)


@dataclass(frozen=True, slots=True)
class FirstBad:
    """When values stopped to be numbers."""

    update: int  # at which the first was seen, from 1
    what: str  # loss, or the name of a parameter whose gradient it was
    before: float  # the last finite loss; NaN where there was none
    grew: bool  # whether losses or gradients were growing when it came

    @property
    def at_once(self) -> bool:
        """Whether there was no update before it."""
        return self.update <= 1


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks for the first value that is not finite, and for what can make one there."""
    if any(given.bad for m in case.evidence.models for c in m.calls for given in c.inputs):
        return  # the input is: that is another fault
    first = _first_bad(case)
    if first is None:
        return
    when = f"{'the loss' if first.what == 'loss' else f'the gradient of {first.what}'} is not finite at update {first.update}"
    when += f", after a loss of {first.before:.3g}" if math.isfinite(first.before) else ""
    targets = _bad_target(case)
    layer = _bad_layer(case, first.update)
    edge = edge_at(case)
    if targets is not None:
        given, sample = targets
        bad = sample.target.bad if sample.target is not None else 0
        yield _finding(
            f"{when}: of the targets {bad} of a batch were NaN or infinite before", case.where(given.site), 0.9
        )
    elif edge is not None and (edge.proven or not first.grew):
        yield _of_edge(case, first, when, edge)
    elif layer is not None and not first.grew:
        told = f"{when}: {layer.name} ({layer.kind}) puts out NaN or infinity where what goes in is finite"
        yield _finding(told, case.where(layer.site, layer.name), 0.85)
    elif (loss := _bad_loss(case)) is not None and not first.grew:
        told = f"{when}: {loss.function} gives no number for finite outputs and targets"
        yield _finding(told, case.where(loss.site), 0.85)
    else:
        grown = ", to which it had grown" if first.grew and math.isfinite(first.before) else ""
        losses = case.losses()
        yield _finding(
            f"{when}{grown}",
            case.where(losses[0].site) if losses else Where(),
            0.55 if first.grew or first.at_once else 0.7,
        )


def _finding(evidence: str, where: Where, certainty: float, change: str | None = None) -> Finding:
    return FAULT.found(evidence, where=where, certainty=certainty, change=change)


def _of_edge(case: Case, first: FirstBad, when: str, edge: Suspect) -> Finding:
    certainty = 0.6 if first.grew else 0.95 if edge.seen else 0.86
    return _finding(f"{when}: {edge.told}", case.line(edge.line), certainty, edge.change)


# ---- the first bad value


def _first_bad(case: Case) -> FirstBad | None:
    """None where all stayed finite, or where it was left out and training went on: a scaler skips such updates."""
    losses = sorted((step + 1, value) for b in case.evidence.backwards for step, value in b.values)
    gradients = [(s.step, n, g) for o in case.evidence.optimizers for s in o.samples for n, g in s.gradients.items()]
    ends_bad = any(p.end is not None and p.end.bad for m in case.evidence.models for p in m.parameters.values())
    if not ends_bad and not (losses and not math.isfinite(losses[-1][1])):
        return None
    bad_losses = [step for step, value in losses if not math.isfinite(value)]
    bad_gradients = [(step, name) for step, name, size in gradients if not math.isfinite(size)]
    step, what = min(bad_gradients, default=(10**9, ""))
    if bad_losses and bad_losses[0] <= step:
        step, what = bad_losses[0], "loss"
    if step == 10**9:
        return None
    finite = [value for when, value in losses if math.isfinite(value) and when <= step]
    sizes = [size for when, _, size in gradients if math.isfinite(size) and when <= step]
    at_end = [size for when, _, size in gradients if when == step]
    return FirstBad(
        step,
        what.rpartition(".")[0] or what,
        finite[-1] if finite else math.nan,
        _grew(finite, sizes) or _overflows(case, at_end),
    )


def _grew(losses: list[float], gradients: list[float]) -> bool:
    """Whether the last losses, or gradients, were far above the first."""
    if gradients and max(gradients) > thresholds.NORM_ANYWAY:
        return True
    if len(losses) < 2:
        return False
    start = float(np.median(losses[: max(2, len(losses) // 10)]))
    return max(losses[-5:]) > thresholds.GREW * max(start, 1e-12)


def _overflows(case: Case, sizes: list[float]) -> bool:
    """Whether layers put out values near the end of what a float holds before it happened."""
    first = [x.samples[0].output for m in case.evidence.models for x in m.layers.values() if x.samples]
    return any(max(abs(o.low), abs(o.high)) > thresholds.NEAR_OVERFLOW for o in first if math.isfinite(o.low))


def _bad_target(case: Case) -> tuple[LossSeen, LossSample] | None:
    return next(
        ((loss, s) for loss in case.losses() for s in loss.samples if s.target is not None and s.target.bad), None
    )


def _bad_loss(case: Case) -> LossSeen | None:
    """A loss function of PyTorch's that was given finite values and gave none."""
    for loss in case.losses():
        for sample in loss.samples:
            clean = not sample.input.bad and (sample.target is None or not sample.target.bad)
            if loss.function != "own" and clean and not math.isfinite(sample.value):
                return loss
    return None


def _bad_layer(case: Case, update: int) -> LayerSeen | None:
    """The first layer, in the order of the forward pass, whose output is bad at that update while the one before is not."""
    for model in case.models:
        weights_bad = any(p.start.bad for p in model.parameters.values())
        layers = [x for x in case.layers(model) if any(s.step == update for s in x.samples)]
        bad = [any(s.output.bad for s in x.samples if s.step == update) for x in layers]
        if True in bad and not weights_bad and bad.index(True) > 0:
            return layers[bad.index(True)]
    return None
