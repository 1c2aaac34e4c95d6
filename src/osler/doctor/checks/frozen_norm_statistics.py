"""The running statistics of batch norm never move although the network learns."""

import ast
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import BATCH_NORMS
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LayerSeen, ModelSeen

FAULT = Fault(
    name="frozen-norm-statistics",
    category="model",
    phase="during",
    title="Batch norm statistics never move",
    symptom="Training looks well, evaluation is near chance; or the norm layers do nothing at all.",
    cause=(
        "In evaluation batch norm uses running means and variances. With momentum 0 (or near it) they stay at their start, 0 "
        "and 1, which are not those of the data. In evaluation mode during training the layer uses these starting values "
        "all the time, and does not normalise."
    ),
    seen_by=(
        "running statistics equal at start and end although the layer was in training mode; or at 0 and 1 all the time in "
        "evaluation mode while the rest trains, and no weights were loaded; or a momentum with which more than half of the "
        "statistics is still the start"
    ),
    remedies=(
        Remedy(
            "use the usual momentum",
            "Leave momentum at 0.1: PyTorch's is the share of the new batch, 1 - 0.9 of other libraries.",
        ),
        Remedy("train the norm layers too", "Do not call eval() on norm layers that start from scratch."),
    ),
    sources=(
        "Ioffe, Szegedy 2015, section 3.1: inference uses population statistics",
        "PyTorch documentation, BatchNorm2d: meaning of momentum; StackOverflow case 114",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at each batch norm's mode, momentum, and statistics at start and end."""
    for model in case.models:
        calls = model.call_counts["train"]
        norms = [x for x in case.layers(model) if x.kind in BATCH_NORMS and x.start_statistics and x.end_statistics]
        if not norms or calls < thresholds.CALLS_OF_NORM:
            continue
        still = [x for x in norms if x.start_statistics == x.end_statistics]
        moving = [x for x in still if x.training]
        if moving:
            yield _still(case, moving, norms, calls)
            continue
        learning = any(c.training for c in model.calls if c.moment == "train")
        resting = [x for x in still if x.training is False and _at_start(x) and _learns(model, x)]
        if resting and learning and not model.loaded:
            yield _resting(case, model, resting)
            continue
        yield from _slow(case, norms, calls)


def _still(case: Case, moving: list[LayerSeen], norms: list[LayerSeen], calls: int) -> Finding:
    momentum = moving[0].options.get("momentum")
    return FAULT.found(
        f"the running mean and variance of {len(moving)} of {len(norms)} batch norms are the same after {calls:,} training calls "
        f"as before: momentum is {momentum}",
        where=_momentum_place(case, moving[0]),
        certainty=0.97,
        change=f"Give {moving[0].name} momentum=0.1, or leave the argument out."
        if momentum == 0
        else f"Let {moving[0].name} track its running statistics.",
    )


def _resting(case: Case, model: ModelSeen, resting: list[LayerSeen]) -> Finding:
    stops = [c.line for c in case.script.calls_of("eval", "train") if _about_norms(case, c.line)]
    stops += [a.line for a in case.script.assignments if any(n.endswith(".training") for n in a.names)]
    where = case.line(stops[0], resting[0].name) if stops else case.where(None, resting[0].name)
    return FAULT.found(
        f"{len(resting)} batch norms are in evaluation mode while {model.name} trains, with mean 0 and variance 1 from start "
        "to end: they normalise nothing, and no weights were loaded that would make sense of that",
        where=where,
        certainty=0.93,
        change="Leave the norm layers in training mode.",
    )


def _slow(case: Case, norms: list[LayerSeen], calls: int) -> Iterator[Finding]:
    for layer in norms:
        momentum = layer.options.get("momentum")
        if not isinstance(momentum, float) or not 0 < momentum < thresholds.SLOW_MOMENTUM or not _at_start(layer):
            continue
        left = (1 - momentum) ** calls
        if layer.training and left > 0.5:
            yield FAULT.found(
                f"with momentum {momentum:g} the running statistics of {layer.name} are still {left:.0%} their start after "
                f"{calls:,} training calls",
                severity="warning",
                where=_momentum_place(case, layer),
                certainty=0.9,
                change=f"Give {layer.name} momentum=0.1, or leave the argument out.",
            )
            return


def _learns(model: ModelSeen, layer: LayerSeen) -> bool:
    """Whether its own weights learn, if it has any: a frozen part rests on purpose."""
    own = [model.parameters[name] for name in layer.parameters if name in model.parameters]
    return not own or any(p.requires_grad for p in own)


def _at_start(layer: LayerSeen) -> bool:
    """Whether the statistics began as those of a fresh layer."""
    fresh = {"running_mean": 0.0, "running_var": 1.0}
    return all(value == fresh[name] for name, values in layer.start_statistics.items() for value in values)


def _about_norms(case: Case, line: int) -> bool:
    near = " ".join(case.script.lines[max(0, line - 4) : line])
    return any(word in near for word in ("BatchNorm", "batchnorm", "_bn", "bn.", "bn1", "norm", "running"))


def _momentum_place(case: Case, layer: LayerSeen) -> Where:
    """Where a momentum is set after the layer was made, else where it is made."""
    for assignment in case.script.assignments:
        set_later = any(name.endswith((".momentum", ".track_running_stats")) for name in assignment.names)
        if set_later and isinstance(assignment.value, ast.Constant):
            return case.line(assignment.line, layer.name)
    return case.where(None, layer.name)
