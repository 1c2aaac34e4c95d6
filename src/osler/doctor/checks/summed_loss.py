"""The loss is summed over the batch, at a rate that was meant for a mean."""

import ast
import math
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import course, is_all_that_is_taught, taught_loss, why_not_plain
from osler.doctor.settings import call_at
from osler.doctor.update_sizes import is_adaptive, update_ratios
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import Backward, GraphNode, LossSeen

FAULT = Fault(
    name="summed-loss",
    category="optimisation",
    phase="during",
    title="The loss is summed over the batch",
    symptom="The loss is of the size of the batch; with plain SGD it leaps up at once.",
    cause=(
        "A sum over B samples has B times the gradient of their mean. With SGD every step is B times as long as the rate was "
        "chosen for, and it changes with the batch size, the last and smaller batch of an epoch included. Adaptive optimizers "
        "divide the factor out again; clipping and weight decay do not."
    ),
    seen_by=(
        "the loss handed to backward is a sum over samples that nothing divides, and the first updates are too large or the "
        "loss leaps"
    ),
    remedies=(
        Remedy("take the mean", "Use reduction='mean', or divide the sum by the number of samples."),
        Remedy("lower the rate", "Where the sum is wanted, divide the rate by the batch size."),
    ),
    sources=(
        "Ben Braiek, Khomh 2022 (TheDeepChecker): ratio of the losses of a batch and of the batch doubled",
        "Goyal et al. 2017, Accurate, large minibatch SGD, section 2: how rate and batch size go together",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at reductions and at the graph of the loss, and at what the sum did to the first updates."""
    found = _of_a_function(case) or _of_its_own(case)
    if found is None or why_not_plain(case):
        return
    line, what = found
    harm = _harm(case)
    size = _batch_size(case)
    times = f", {size} samples at a time" if size else ""
    first = course(case).first
    yield FAULT.found(
        f"{what}{times}: the first loss is {first:.4g}"
        + (f"; {harm}" if harm else ", and the rate is small enough for it"),
        severity="critical" if harm else "note",
        where=case.line(line),
        certainty=0.88 if harm else 0.5,
        change="Take the mean over the samples instead of the sum, or divide by their number.",
    )


def _of_a_function(case: Case) -> tuple[int | None, str] | None:
    """A loss function of PyTorch's with reduction 'sum', handed to backward as it is."""
    for loss in case.losses():
        if loss.options.get("reduction") == "sum" and is_all_that_is_taught(case, loss):
            return _line_of_reduction(case, loss), f"{loss.function} sums over the batch (reduction='sum')"
    return None


def _line_of_reduction(case: Case, loss: LossSeen) -> int | None:
    """Where the sum is asked for; the call's line where that is not found."""
    here = call_at(case.script, loss.site)
    lines = [
        c.line
        for c in case.script.calls
        for value in (c.keyword("reduction"), c.keyword("size_average"))
        if isinstance(value, ast.Constant) and value.value in ("sum", False)
    ]
    if here is not None and here.line in lines:
        return here.line
    return lines[0] if lines else (loss.site.line if loss.site else None)


def _of_its_own(case: Case) -> tuple[int | None, str] | None:
    """A loss that the program writes out: the graph below backward begins with a sum over everything, nothing divides it."""
    lines = sorted(case.evidence.backwards, key=lambda b: -b.calls)
    if not lines or not lines[0].graph or (taught_loss(case) is not None and not _sums_unreduced(case)):
        return None
    if not begins_with_a_sum(lines[0].graph):
        return None
    written = _line_of_sum(case, lines[0])
    if written is None:
        return None
    return written, "the loss handed to backward is a sum over all samples of the batch"


def _sums_unreduced(case: Case) -> bool:
    return any(loss.options.get("reduction") == "none" for loss in case.losses())


def begins_with_a_sum(graph: list[GraphNode]) -> bool:
    """Whether the way from the loss goes over signs and additions alone to a sum over a whole tensor that is not made of means."""
    waiting = [0]
    for _ in range(12):
        if not waiting:
            return False
        node = graph[waiting.pop(0)]
        if node.operation == "SumBackward0":
            below = graph[node.inputs[0]].operation if node.inputs and node.inputs[0] < len(graph) else ""
            return not below.startswith(("Mean", "Div"))
        if node.operation.startswith(("Neg", "Add", "Sub", "Squeeze", "View", "Reshape", "Alias")):
            waiting += [place for place in node.inputs if place < len(graph)]
    return False


def _line_of_sum(case: Case, line: Backward) -> int | None:
    """The line of the script that takes the sum, among those from which the value of backward comes."""
    if line.site is None:
        return None
    script = case.script
    call = call_at(script, line.site, "backward")
    name = call.name.rpartition(".")[0] if call else ""
    reads = script.slice_of(name, before=line.site.line) if name.isidentifier() else []
    nodes: list[tuple[ast.expr, int]] = [(read.value, read.line) for read in reads]
    if call is not None:
        nodes.insert(0, (call.node, call.line))
    for value, _ in nodes:
        for node in ast.walk(value):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sum":
                return node.lineno
    return None


def _batch_size(case: Case) -> int:
    sizes = [
        c.inputs[0].shape[0]
        for m in case.evidence.trained_models
        for c in m.calls
        if c.moment == "train" and c.inputs and c.inputs[0].shape
    ]
    return int(np.median(sizes)) if sizes else 0


def _harm(case: Case) -> str:
    """What the sum did: empty where training bears it."""
    loss, taught = course(case), taught_loss(case)
    if taught is not None and taught.loss.options.get("reduction") != "sum" and taught.left < thresholds.LEARNT:
        return ""
    optimizers = [o for o in case.evidence.optimizers if o.steps]
    if optimizers and is_adaptive(optimizers[0]):
        return ""
    first = max(abs(loss.first), 1e-12)
    if loss.bad or (loss.highest > thresholds.LEAP * first and loss.end > thresholds.SUM_LEFT * first):
        reached = "NaN or infinity" if loss.bad else f"{loss.highest:.3g}"
        return f"it leaps to {reached} and ends at {loss.end:.4g}"
    early = [r.largest for o in optimizers[:1] for r in update_ratios(case, o)[:5]]
    if early and max(early) > thresholds.UPDATE_TOO_LARGE and loss.end > thresholds.HARDLY_LEARNT * first:
        return f"the first updates are {max(early):.0%} of the weights, and it ends at {loss.end:.4g}"
    if not math.isnan(loss.end) and loss.end > 0.95 * first and not optimizers:
        return f"it does not fall: it ends at {loss.end:.4g}"
    return ""
