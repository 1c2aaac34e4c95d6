"""Layers with weights follow each other with nothing non-linear between."""

import ast
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.layer_places import dropout_names, seen_of, way_out, where_called
from osler.doctor.linear_meetings import is_shared, smooths_a_pyramid
from osler.doctor.loss_graph import (
    MAX_POOLING,
    NORMS_OF_BATCH,
    NORMS_OF_SAMPLE,
    RESHAPING,
    LossGraph,
    Weighted,
    is_one_of,
)
from osler.structures.finding import Finding, Remedy, Where

FAULT = Fault(
    name="missing-nonlinearity",
    category="model",
    phase="during",
    title="Layers are stacked without a non-linearity",
    symptom="However many layers are added, the network does no better than one layer; curved boundaries are never learnt.",
    cause=(
        "A linear map of a linear map is a linear map. Without an activation between them, two layers can do no more than one, "
        "only with more weights and slower learning."
    ),
    seen_by=(
        "in the graph of the loss, only linear operations lie under the last layer although there are hidden layers; or two "
        "hidden layers of full rank follow each other with none between; narrow waists, 1x1 and depthwise convolutions, "
        "embeddings, attention's projections, what smooths a feature pyramid and heads that several layers feed are left out"
    ),
    remedies=(
        Remedy("add an activation", "Put a ReLU, GELU or tanh after each hidden layer."),
        Remedy("use one layer", "If a linear model is wanted, one layer says so and learns faster."),
    ),
    sources=(
        "Goodfellow, Bengio, Courville 2016, section 6.1: why a linear model cannot learn XOR",
        "UMLAUT (Schoop et al. 2021), NeuraLint (Nikanjam et al. 2021), TheDeepChecker (Ben Braiek, Khomh 2022): hidden "
        "layers without an activation; StackOverflow cases 1 and 79",
        "Lin et al. 2017 (feature pyramid networks), section 3: no activations in a pyramid's own convolutions, by design",
    ),
)

PLAIN = ("Linear", "LazyLinear", "Conv1d", "Conv2d", "Conv3d", "LazyConv1d", "LazyConv2d", "LazyConv3d")


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Follows the graph of each loss from layer to layer."""
    graphs = case.loss_graphs
    if not graphs:
        raise NotSeen("no graph of a loss was seen")
    dropouts = dropout_names(case)
    told: set[str] = set()
    for graph in graphs:
        for finding in _without_any(case, graph, dropouts) or _pairs(case, graph, dropouts):
            place = str(finding.where)
            if place not in told:
                told.add(place)
                yield finding


def _without_any(case: Case, graph: LossGraph, dropouts: frozenset[str]) -> list[Finding]:
    """The whole network linear, or with max-pooling or norms of samples as all that is not."""
    heads = graph.output_layers
    if len({h.leaf for h in heads}) != 1:
        return []
    head = heads[0]
    below = graph.below(head.node)
    layers = [graph.weighted[k] for k in below if k in graph.weighted]
    hidden = sorted((w for w in layers if w.kind != "embedding"), key=lambda w: w.node)
    full = [w for w in hidden if _full_rank(w, head)]
    bent = [k for k in below if k not in graph.weighted and not graph.is_linear(k, dropouts)]
    rest = {True for k in bent if not is_one_of(graph.nodes[k].operation, (*MAX_POOLING, *NORMS_OF_SAMPLE))}
    if not full or len({w.leaf for w in hidden} | {head.leaf}) != len(hidden) + 1:
        return []
    count = len(hidden) + 1
    where, change = _place(case, hidden[-1]), f"Put an activation, such as ReLU, after {_told(hidden)}."
    if not bent or _proved_linear(case, graph, bent):
        return [
            FAULT.found(
                f"between the {count} layers with weights from {hidden[-1].layer or 'the first'} to {head.layer or 'the last'} "
                f"there are only linear operations: together they are one linear map of {_ends(hidden[-1], head)}",
                where=where,
                certainty=0.97,
                change=change,
            )
        ]
    if not rest and count >= thresholds.LAYERS_WITHOUT_ACTIVATION and not _sample_norms_only(graph, bent):
        return [
            FAULT.found(
                f"none of the {count} layers with weights is followed by an activation; only max-pooling is not linear",
                severity="warning",
                where=where,
                certainty=0.9,
                change=change,
            )
        ]
    return []


def _sample_norms_only(graph: LossGraph, bent: list[int]) -> bool:
    return not any(is_one_of(graph.nodes[k].operation, MAX_POOLING) for k in bent)


def _proved_linear(case: Case, graph: LossGraph, bent: list[int]) -> bool:
    """Whether what may be non-linear are products with constants, and the trial with sums of inputs shows linearity."""
    if not all(is_one_of(graph.nodes[k].operation, ("Mul", "Div")) and len(graph.data(k)) == 1 for k in bent):
        return False
    for model in case.models[:1]:
        trial = case.probes.get("linear", {}).get(model.name)
        way = way_out(case, model.outputs_of)
        return trial is not None and trial < thresholds.LINEAR_MAP and way is not None and not way.operations
    return False


def _pairs(case: Case, graph: LossGraph, dropouts: frozenset[str]) -> list[Finding]:
    """Two plain layers of full rank in a chain with nothing non-linear between."""
    found = []
    for upper in sorted(graph.weighted.values(), key=lambda w: -w.node):  # the first layer first
        lower, between = _next_below(graph, upper, dropouts)
        if lower is None or not _is_plain_pair(case, lower, upper) or not _full_rank(lower, upper):
            continue
        if smooths_a_pyramid(graph, lower) or is_shared(graph, upper):
            continue
        normed = any(is_one_of(graph.nodes[k].operation, NORMS_OF_BATCH) for k in between)
        found.append(
            FAULT.found(
                f"{lower.layer} ({lower.inputs} to {lower.outputs}) is followed by {upper.layer} ({upper.inputs} to "
                f"{upper.outputs}) with nothing non-linear between: the two can do no more than one",
                severity="note" if normed and upper.kind == "linear" else "warning",
                where=_place(case, lower),
                certainty=0.8,
                change=f"Put an activation, such as ReLU, between {lower.layer} and {upper.layer}.",
            )
        )
    return found


def _next_below(graph: LossGraph, upper: Weighted, dropouts: frozenset[str]) -> tuple[Weighted | None, list[int]]:
    between: list[int] = []
    for place in graph.chain(upper.node):
        if len(set(graph.consumers[place])) > 1:
            return None, between
        if place in graph.weighted:
            return graph.weighted[place], between
        reshapes = is_one_of(graph.nodes[place].operation, (*RESHAPING, *NORMS_OF_BATCH, "AvgPool"))
        if not reshapes and not graph.is_dropout(place, dropouts):
            return None, between
        between.append(place)
    return None, between


def _is_plain_pair(case: Case, lower: Weighted, upper: Weighted) -> bool:
    if lower.leaf == upper.leaf or lower.kind != upper.kind:
        return False
    for each in (lower, upper):
        layer = seen_of(case, each)
        if layer is None or layer.kind not in PLAIN or layer.options.get("groups", 1) != 1:
            return False
        kernel = each.shape[2:]
        if kernel and (min(kernel) < 2 or len(set(kernel)) > 1):  # 1x1, or one of a pair of 1xN and Nx1
            return False
    return True


def _full_rank(lower: Weighted, upper: Weighted) -> bool:
    """Whether the width between is no narrower than both ends: else it is a waist, which one layer could not have."""
    return lower.outputs >= min(lower.inputs, upper.outputs)


def _ends(first: Weighted, last: Weighted) -> str:
    return f"{first.inputs} to {last.outputs} values" if first.kind == last.kind == "linear" else "the input"


def _told(layers: list[Weighted]) -> str:
    names = [w.layer for w in reversed(layers) if w.layer]
    return ", ".join(names[:4]) + (" and so on" if len(names) > 4 else "") if names else "each hidden layer"


def _place(case: Case, layer: Weighted) -> Where:
    if layer.layer:
        return where_called(case, layer.layer, seen_of(case, layer))
    products = [
        n.lineno for n in ast.walk(case.script.tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.MatMult)
    ]
    products += [c.line for c in case.script.calls_of("matmul", "mm", "linear", "addmm", "einsum")]
    return case.line(min(products)) if products else case.where(case.evidence.backwards[0].site)
