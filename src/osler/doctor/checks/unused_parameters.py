"""Trainable parameters that never get a gradient."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.without_gradient import without_gradient
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="unused-parameters",
    category="model",
    phase="during",
    title="Parameters take no part in the loss",
    symptom="A part of the network stays as it was drawn; distributed training complains of unused parameters.",
    cause=(
        "The layer is made but not called, or its output is dropped, or overwritten by a name used twice. Its gradient stays "
        "None, and no step changes it."
    ),
    seen_by="parameters in the optimizer whose gradient is None at every sampled step, in a network that otherwise learns",
    remedies=(
        Remedy("use the layer", "Call the layer in forward, and pass on what it puts out."),
        Remedy("remove the layer", "If it is not needed, take it out of the network."),
    ),
    sources=(
        "TrainCheck (Jiang et al. 2025), unused layers",
        "PyTorch documentation, DistributedDataParallel find_unused_parameters",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at parameters without a gradient at all steps at which they were looked at."""
    for model in case.models:
        unused = without_gradient(case, model)
        if not unused or not any(p.gradients_seen for p in model.parameters.values()):
            continue
        layers = list(dict.fromkeys(model.parameters[name].layer for name in unused))
        called = [x for x in layers if x in model.layers and model.layers[x].order is not None]
        never = [x for x in layers if x not in called]
        share = _size(model, unused) / max(1, _size(model, list(model.parameters)))
        what = "forward never calls them" if never else "they run, but the loss does not depend on what they put out"
        first = (never or called)[0]
        noted = model.loaded or share < thresholds.SHARE_UNUSED_NOTED
        yield FAULT.found(
            f"{len(unused)} parameters of {len(layers)} layers ({', '.join(layers[:4])}), {100 * share:.0f}% "
            "of the network's weights, "
            f"have no gradient at any of {model.parameters[unused[0]].steps_seen} sampled steps: {what}",
            severity="note" if noted else "critical" if share > thresholds.SHARE_UNUSED else "warning",
            where=case.where(None, first),
            certainty=0.88,
            change=f"Call {first} in forward and use what it puts out, or remove it.",
        )


def _size(model: ModelSeen, names: list[str]) -> int:
    return sum(model.parameters[name].start.count for name in names)
