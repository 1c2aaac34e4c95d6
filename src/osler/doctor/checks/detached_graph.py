"""A graph that is cut between parameters and loss."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.cut_lines import converted, cut_before_backward, forward_cuts, switched_off
from osler.doctor.fault import Fault, check
from osler.doctor.without_gradient import without_gradient
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen, Site

FAULT = Fault(
    name="detached-graph",
    category="model",
    phase="during",
    title="The graph is cut",
    symptom="A part of the network does not learn, or backward says that no element requires a gradient.",
    cause=(
        "item, detach, numpy, argmax, a new tensor made from values, or no_grad stands between the parameters and the loss. What "
        "lies before it gets no gradient."
    ),
    seen_by="parameters without a gradient at any sampled step, although their layer is called, and a line that takes "
    "values out of the graph inside of forward or between two networks",
    remedies=(
        Remedy(
            "stay in the graph",
            "Keep tensors as tensors: no detach, numpy, item or torch.tensor(...) on the way to the loss.",
        ),
        Remedy(
            "differentiable instead", "Replace argmax or rounding by a softmax, or pass the gradient through by hand."
        ),
    ),
    sources=("StackOverflow case 109 of the published collections", "PyTorch documentation, Autograd mechanics"),
)


STEPWISE = ("Round", "Sign", "Floor", "Ceil", "Trunc", "Heaviside")


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at layers that are called and get no gradient, and at lines that take values out of the graph."""
    whole = _whole(case)
    if whole is not None:
        yield whole
        return
    yield from _flat(case)
    if not any(p.gradients_seen for m in case.evidence.models for p in m.parameters.values()):
        return
    for model in case.models:
        unseen = [] if model.loaded else without_gradient(case, model)
        layers = list(dict.fromkeys(model.parameters[n].layer for n in unseen))
        ran = [name for name in layers if _runs(model, name)]
        off = [name for name in layers if _runs_without(model, name)]
        cut = _cut(case, model, bool(off)) if ran or off else None
        if cut is None:
            continue
        what, line = cut
        told = (off or ran)[:4]
        yield FAULT.found(
            f"{len(off or ran)} layers ({', '.join(told)}) run in every training step and have no gradient at any of "
            f"{model.parameters[unseen[0]].steps_seen} looked at; {what} takes values out of the graph at line {line}",
            where=case.line(line, told[0]),
            certainty=0.96,
            change=f"Leave out {what} at line {line}, so that the gradient gets through to {told[0]}.",
        )


def _flat(case: Case) -> Iterator[Finding]:
    """Rounding on the way: gradients get through as zeros, since its slope is 0 wherever it has one."""
    steps = {n.operation.partition("Backward")[0] for b in case.evidence.backwards for n in b.graph} & set(STEPWISE)
    line = next(((line, name) for line, name in forward_cuts(case) if name in {s.lower() for s in steps}), None)
    for model in case.models if line is not None else ():
        matrices = {
            n: p
            for n, p in model.parameters.items()
            if len(p.shape) >= 2 and p.gradients_seen >= thresholds.STEPS_UNUSED
        }
        flat = [n for n, p in matrices.items() if not p.nonzero_gradients]
        if line is not None and flat and len(flat) < len(matrices):
            layers = list(dict.fromkeys(matrices[n].layer for n in flat))
            yield FAULT.found(
                f"the gradients of {', '.join(layers[:4])} were 0 at all {matrices[flat[0]].gradients_seen} steps looked at: "
                f"{line[1]} at line {line[0]} has the slope 0 everywhere",
                where=case.line(line[0], layers[0]),
                certainty=0.93,
                change=f"Let the gradient pass {line[1]} as if it were not there: y = x + ({line[1]}(x) - x).detach().",
            )
            return


def _runs(model: ModelSeen, name: str) -> bool:
    seen = model.layers.get(name)
    return seen is not None and seen.order is not None


def _runs_without(model: ModelSeen, name: str) -> bool:
    """Whether the layer runs, where gradients would be needed, with their recording switched off."""
    seen = model.layers.get(name)
    if seen is None or seen.order is not None:
        return False
    only_off = not model.call_counts["train"] and model.call_counts["evaluate"] > 0
    return seen.calls_without_gradient >= thresholds.STEPS_UNUSED or only_off


def _cut(case: Case, model: ModelSeen, off: bool) -> tuple[str, int] | None:
    """What cuts, and where: recorded lines in forward first, then what stands in the script."""
    if off:
        lines = switched_off(case, methods=True) or switched_off(case, methods=False)
        if lines:
            return "no_grad", lines[0]
    for name, site in converted(case, in_forward=True):
        return name, site.line
    for line, name in forward_cuts(case) if not off else ():
        return name, line
    for name, site in converted(case, in_forward=False):
        if name != "item":
            return name, site.line
    return None


def _whole(case: Case) -> Finding | None:
    """A loss from which no way leads to any parameter."""
    evidence = case.evidence
    lines = [b for b in evidence.backwards if b.calls >= thresholds.STEPS_UNUSED]
    held = [p for m in evidence.models for p in m.parameters.values() if p.optimizers and p.requires_grad]
    if not lines or not held or any(p.gradients_seen or p.gradient_at_end for p in held):
        return None
    if any(
        node.shape is not None and node.operation.endswith("AccumulateGrad") and node.parameter
        for b in lines
        for node in b.graph
    ):
        return None
    if any(len(b.graph) > 1 and any(n.shape is not None and len(n.shape) > 1 for n in b.graph) for b in lines):
        return None  # the gradient runs to other tensors: the optimizer holds the wrong ones
    cut = cut_before_backward(case)
    recorded = next(((name, site) for name, site in converted(case, in_forward=False)), None)
    site: Site | None = recorded[1] if recorded else lines[0].site
    what, line = (
        (cut[1], cut[0])
        if cut is not None
        else (recorded[0] if recorded else "what makes the loss", site.line if site else None)
    )
    return FAULT.found(
        f"backward was called {lines[0].calls:,} times on a loss from which no way leads to any parameter: "
        f"{what} takes it out of the "
        "graph, and no parameter ever gets a gradient",
        where=case.line(line),
        certainty=0.97,
        change=f"Compute the loss from the network's outputs themselves, without {what} in between.",
    )
