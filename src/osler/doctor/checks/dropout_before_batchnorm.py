"""Dropout stands directly before batch normalisation."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.layer_places import dropout_names, layer_seen, where_called, where_made
from osler.doctor.loss_graph import NORMS_OF_BATCH, LossGraph, is_one_of
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LayerSeen

FAULT = Fault(
    name="dropout-before-batchnorm",
    category="model",
    phase="during",
    title="Dropout stands before batch normalisation",
    symptom="Evaluation is worse than training, though the same samples are used.",
    cause=(
        "Dropout enlarges what it keeps, so that the mean stays the same; but the variance grows. Batch norm learns this "
        "larger variance in training. In evaluation nothing is dropped, the variance is smaller than what was learnt, and "
        "all that follows gets values of another scale."
    ),
    seen_by=(
        f"in the graph of the loss a batch norm reads a dropout with a rate of at least {thresholds.DROPOUT_BEFORE_NORM:g}, with "
        "no layer with weights between"
    ),
    remedies=(
        Remedy("turn their order", "Put the dropout after the batch norm (and the activation)."),
        Remedy("keep one of them", "Networks with batch norm often need no dropout, except before the last layer."),
    ),
    sources=(
        "Li, Chen, Hu, Yang 2019, 'Understanding the disharmony between dropout and batch normalization by variance "
        "shift', section 3",
        "NeuraLint (Nikanjam et al. 2021), rule on the order of batch norm and dropout; StackOverflow cases 63 and 78",
    ),
)

BETWEEN = (
    "Relu", "LeakyRelu", "Elu", "Gelu", "Silu", "Tanh", "Sigmoid", "Threshold", "Hardtanh", "Softplus", "Mish", "Selu",
    "PreluKernel", "View", "Reshape", "UnsafeView", "Alias", "Squeeze", "Unsqueeze", "Clone", "Flatten", "MaxPool", "AvgPool",
    "Transpose", "Permute",    "AdaptiveAvgPool", "ReshapeAlias", "ToCopy",
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Follows the graph of each loss from every batch norm down to what it reads."""
    graphs = case.loss_graphs
    if not graphs:
        raise NotSeen("no graph of a loss was seen")
    names = dropout_names(case)
    told: set[str | None] = set()
    for graph in graphs:
        for place, node in enumerate(graph.nodes):
            if not is_one_of(node.operation, NORMS_OF_BATCH):
                continue
            dropout = _dropout_below(graph, place, names)
            layer = layer_seen(case, graph.nodes[dropout].layer) if dropout is not None else None
            if layer is None or layer.name in told:
                continue
            told.add(layer.name)
            yield _finding(case, layer, node.layer)


def _dropout_below(graph: LossGraph, place: int, names: frozenset[str]) -> int | None:
    for below in graph.chain(place):
        if graph.is_dropout(below, names):
            return below
        if not is_one_of(graph.nodes[below].operation, BETWEEN):
            return None
    return None


def _finding(case: Case, dropout: LayerSeen, norm: str | None) -> Finding:
    rate = float(dropout.options.get("p", 0.5))
    strong = rate >= thresholds.DROPOUT_BEFORE_NORM
    return FAULT.found(
        f"{_name(dropout)} drops {rate:.0%} directly before {norm or 'a batch norm'}: in training that sees a variance up to "
        f"{1 / (1 - min(rate, 0.99)):.1f} times that of evaluation",
        severity="warning" if strong else "note",
        where=_place(case, dropout),
        certainty=0.9 if strong else 0.6,
        change=f"Put {_name(dropout)} after {norm or 'the batch norm'}.",
    )


def _name(layer: LayerSeen) -> str:
    return layer.name.partition(" (line")[0]


def _place(case: Case, layer: LayerSeen) -> Where:
    if layer.name.endswith(")"):
        return case.where(layer.site, layer.name)
    made = where_made(case, layer.name)
    return made if case.script.calls_of("Sequential") else where_called(case, layer.name)
