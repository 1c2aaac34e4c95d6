"""A hidden layer through which everything passes is too narrow for the task."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.layer_places import seen_of, where_made
from osler.doctor.loss_graph import LossGraph, Weighted
from osler.doctor.outcomes import last_accuracy, learnt
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSeen, ModelSeen

FAULT = Fault(
    name="narrow-bottleneck",
    category="model",
    phase="during",
    title="A layer is too narrow to carry the information",
    symptom=(
        "The training loss stops high, however long and at whatever rate the network is trained, and some classes are mixed "
        "up."
    ),
    cause=(
        "What a layer does not let through is lost to all layers behind it. One or two units must tell all classes apart or "
        "carry all numbers that are to be predicted; and if such a unit dies, nothing is left."
    ),
    seen_by=(
        "a hidden layer that every way through the network passes has fewer than log2(classes) + 1 units (one unit, or fewer "
        "than the numbers to predict, in a regression), at most a quarter of its input, and the training loss stays above "
        f"{1 - thresholds.WAIST_LEARNT:.0%} of that of constant answers"
    ),
    remedies=(
        Remedy(
            "widen the layer", "Give it at least as many units as there are classes, better as many as its neighbours."
        ),
        Remedy("remove the layer", "Connect its neighbours to each other."),
    ),
    sources=(
        "TheDeepChecker (Ben Braiek, Khomh 2022): StackOverflow case 77",
        "Szegedy et al. 2016, 'Rethinking the inception architecture', section 2: avoid representational bottlenecks",
        "Shannon 1948: telling K equally likely classes apart takes log2 K bits",
    ),
)

RECURRENT = ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")


@dataclass(frozen=True)
class _Need:
    """What a task needs of its narrowest layer."""

    units: float
    told: str
    certain: bool  # whether one unit cannot do, however it is trained


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the width of each layer that every way from the inputs to a loss passes."""
    graphs = case.loss_graphs
    if not graphs:
        raise NotSeen("no graph of a loss was seen")
    told: set[str] = set()
    for loss in case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)[:2]:
        need, fitted = _need(case, loss), learnt(loss)
        if need is None:
            continue
        for graph in graphs:
            for layer, width, given in _waists(case, graph):
                if layer.layer not in told and width < need.units and width * 4 <= given:
                    told.add(layer.layer)
                    yield _finding(case, layer, width, given, need, fitted)


def _finding(case: Case, layer: Weighted, width: int, given: int, need: _Need, fitted: float | None) -> Finding:
    accuracy = last_accuracy(case)
    poor = fitted is not None and fitted < thresholds.WAIST_LEARNT
    hopeless = need.certain and width == 1 and not (fitted is not None and fitted > thresholds.WAIST_ENOUGH)
    state = f"; the training loss fell by {max(0.0, fitted):.0%} of what it could" if fitted is not None else ""
    state += f", the last accuracy was {accuracy:.0%}" if accuracy is not None else ""
    return FAULT.found(
        f"all that the network knows of a sample passes {layer.layer}, which makes {width} value{'s' if width > 1 else ''} of "
        f"{given:,}, for {need.told}{state}",
        severity="critical" if poor and width <= 2 else "warning" if poor or hopeless else "note",
        where=where_made(case, layer.layer, seen_of(case, layer)),
        certainty=0.9 if poor and (hopeless or width == 1) else 0.82 if poor else 0.7,
        change=f"Widen {layer.layer} from {width} to {max(16, math.ceil(need.units) * 4)} units or more.",
    )


def _need(case: Case, loss: LossSeen) -> _Need | None:
    samples = [s for s in loss.samples if s.moment == "train" and s.target is not None]
    if not samples or samples[0].target is None:
        return None
    wanted, given = samples[0].target.shape, samples[0].input.shape
    if loss.function in CLASS_LOSSES and len(given) == 2:
        classes = len([v for v in loss.targets if v >= 0]) if loss.target_is_integer else given[1]
        if classes < 2:
            return None
        return _Need(math.log2(classes) + 1, f"{classes} classes", classes > 2)
    size = math.prod(wanted[1:])
    if loss.function in BINARY_LOSSES:
        return (
            _Need(math.log2(max(2, size)) + 1, f"{size} yes or no answer{'s' if size > 1 else ''}", size > 2)
            if size < 100
            else None
        )
    if _rebuilds(case, samples[0].target.shape, samples[0].target.mean):
        return None  # to press much into few values is what an autoencoder is for
    if 1 <= size <= 64:
        return _Need(max(2, size), f"{size} number{'s' if size > 1 else ''} to predict", size > 1)
    return None


def _rebuilds(case: Case, shape: tuple[int, ...], mean: float) -> bool:
    """Whether the target looks like the input: an autoencoder's."""
    first = case.models[0].calls[:1]
    return bool(first) and any(
        math.prod(i.shape) == math.prod(shape) and abs(i.mean - mean) <= 0.25 * max(i.std, 1e-6) for i in first[0].inputs
    ) and math.prod(shape[1:]) > 1  # fmt: skip


def _only_network(case: Case, graph: LossGraph) -> ModelSeen | None:
    """The network to which all layers of the graph belong; None if there may be several."""
    names = {w.leaf: w.parameter for w in graph.weighted.values()}
    models = [m for m in case.evidence.models if any(n in m.parameters for n in names.values())]
    return models[0] if len(models) == 1 and len(set(names.values())) == len(names) else None


def _waists(case: Case, graph: LossGraph) -> Iterator[tuple[Weighted, int, int]]:
    """Hidden layers on all ways, the values that each gives and takes for a sample."""
    inputs = graph.input_layers
    if not inputs:
        return
    common = graph.passed_by_all(inputs[0].node)
    for other in inputs[1:]:
        passed = {w.node for w in graph.passed_by_all(other.node)}
        common = [w for w in common if w.node in passed]
    heads = {w.leaf for w in graph.output_layers}
    judge = _only_network(case, graph)
    if judge is None or not all(p.requires_grad for p in judge.parameters.values()):
        return  # the critic reads what a generator makes, and what is frozen is not in the graph: these are no waists
    read = {}  # what the layer above each one is given of it, which pooling may have made less
    for above, layer in pairwise(common):
        seen = seen_of(case, above)
        if seen is not None and seen.input_shape and len(seen.input_shape) > 1 and seen.kind not in RECURRENT:
            read[layer.leaf] = math.prod(seen.input_shape[1:])
    for layer in common:
        seen = seen_of(case, layer)
        if layer.leaf in heads or layer.kind == "embedding" or seen is None or seen.kind in RECURRENT:
            continue
        if seen.output_shape and seen.input_shape and seen.output_shape[0] == seen.input_shape[0]:
            given = math.prod(seen.output_shape[1:])
            yield layer, min(given, read.get(layer.leaf, given)), math.prod(seen.input_shape[1:])
        elif layer.kind == "linear":
            yield layer, layer.outputs, layer.inputs
