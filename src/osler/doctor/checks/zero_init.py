"""Layers whose units start, and stay, copies of each other."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.initialising_lines import constant_line
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LayerSeen, ModelSeen, ParameterSeen

FAULT = Fault(
    name="zero-init",
    category="model",
    phase="before",
    title="Weights start at zero or a constant",
    symptom="The network learns no more than one unit a layer could; with zeros and ReLU it learns nothing.",
    cause=(
        "Units of a layer that start with the same weights compute the same, get the same gradient, and stay the same. Random "
        "starts break that symmetry."
    ),
    seen_by=(
        "all rows of a hidden layer's weights are equal at the first call, and they are still equal at the end though they moved, or "
        "never got a gradient but 0, or the layer after it is constant as well, so that nothing tells its units apart"
    ),
    remedies=(
        Remedy(
            "random weights",
            "Initialise weights at random: nn.init.kaiming_normal_ for ReLU, nn.init.xavier_uniform_ for tanh.",
        ),
        Remedy("leave PyTorch's", "Remove the initialisation: PyTorch's own is random and scaled."),
    ),
    sources=(
        "Goodfellow, Bengio, Courville 2016, Deep Learning, section 8.4: breaking symmetry",
        "Braiek, Khomh 2023 (TheDeepChecker): variance of weights is 0",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the rows of weights at the start and at the end, layer after layer."""
    for model in case.models:
        layers = [x for x in case.layers(model) if _weight(model, x) is not None]
        alike = [x for x in layers[:-1] if _alike(model, x)]
        if model.loaded or not alike:
            continue
        copies = [x for x in alike if _still_alike(model, x)]
        still = [x for x in alike if _never_moves(model, x)]
        everywhere = _pairs(model, layers) and len(alike) + _constant(model, layers[-1]) >= thresholds.SHARE_SYMMETRIC * len(layers)
        told = copies or still or (alike if everywhere else [])
        if not told:
            continue
        weight = _seen(model, told[0])
        value = f"{weight.start.mean:.3g}" if weight.start.low == weight.start.high else "equal rows"
        after = (
            "they got the same gradients, and at the end all units of a layer are still copies of each other"
            if copies
            else f"no gradient but 0 came in {weight.steps_seen} steps looked at, so that they stay there"
            if still
            else "the units of a layer begin as copies of each other"
        )
        line = constant_line(case, told[0].name)
        yield FAULT.found(
            f"the weights of {len(told)} of {len(layers)} layers ({', '.join(x.name for x in told[:4])}; {weight.shape[0]} units in the first) "
            f"start at {value}: {after}",
            where=case.line(line, told[0].name) if line else case.where(told[0].site, told[0].name),
            certainty=0.97,
        )


def _weight(model: ModelSeen, layer: LayerSeen) -> str | None:
    """The name of the layer's matrix of weights, one row a unit."""
    if "Embedding" in layer.kind or "Norm" in layer.kind:
        return None
    return next((n for n in layer.parameters if n in model.parameters and len(model.parameters[n].shape) > 1), None)


def _seen(model: ModelSeen, layer: LayerSeen) -> ParameterSeen:
    return model.parameters[_weight(model, layer) or ""]


def _alike(model: ModelSeen, layer: LayerSeen) -> bool:
    """Whether a layer that may learn has several units, and they start with equal weights."""
    weight = _seen(model, layer)
    return weight.start_row_spread == 0 and weight.requires_grad and weight.start.bad == 0


def _still_alike(model: ModelSeen, layer: LayerSeen) -> bool:
    weight = _seen(model, layer)
    if not weight.moved or weight.end is None or weight.end.bad:
        return False
    size = max(abs(weight.end.low), abs(weight.end.high), 1e-12)
    return weight.end_row_spread <= thresholds.COPIES * size


def _never_moves(model: ModelSeen, layer: LayerSeen) -> bool:
    weight = _seen(model, layer)
    others = any(p.nonzero_gradients for p in model.parameters.values())
    return weight.gradients_seen >= thresholds.STEPS_UNUSED and not weight.nonzero_gradients and not weight.moved and others


def _constant(model: ModelSeen, layer: LayerSeen) -> bool:
    start = _seen(model, layer).start
    return start.low == start.high


def _pairs(model: ModelSeen, layers: list[LayerSeen]) -> bool:
    """Whether a layer of equal units is read by a constant one: then their gradients are equal too."""
    return any(_alike(model, a) and _constant(model, b) for a, b in zip(layers, layers[1:], strict=False))
