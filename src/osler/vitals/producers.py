"""How an output came to be, read from the graph that autograd keeps."""

from typing import Any, cast

from torch import Tensor

from osler.vitals.evidence import GraphNode, Producer

WITH_WEIGHTS = (
    "Addmm",
    "Mm",
    "Linear",
    "Convolution",
    "Bmm",
    "Baddbmm",
    "Einsum",
    "Rnn",
    "Lstm",
    "Gru",
    "Embedding",
    "Mkldnn",
    "Cudnn",
)
LONGEST = 16
LARGEST = 20_000
LAYER, SITE, LOSS = "osler_layer", "osler_site", "osler_loss"  # notes that the recorders leave on autograd's nodes


def notes(node: Any) -> dict[str, Any]:
    """What recorders left on a node of autograd's; writing into it leaves more."""
    return cast("dict[str, Any]", node.metadata)


def with_weights(operation: str) -> bool:
    """Whether the operation multiplies by weights: where the way back to the last layer ends."""
    return operation.startswith(WITH_WEIGHTS)


def producers(output: Tensor) -> list[Producer]:
    """The operations from an output back to the last layer with weights, that one included; of branches the first."""
    found: list[Producer] = []
    node: Any = output.grad_fn
    while node is not None and len(found) < LONGEST and node.name() != "struct torch::autograd::AccumulateGrad":
        found.append(Producer(node.name(), notes(node).get(SITE), notes(node).get(LAYER)))
        if with_weights(node.name()):
            break
        node = next((after for after, _ in node.next_functions if after is not None), None)
    return found


def graph(output: Tensor, names: dict[int, str]) -> list[GraphNode]:
    """All operations under an output, itself first; `names` gives parameters' names by `id`.

    Of a graph of more than 20,000 operations the first are given, nearest to the output.
    """
    if output.grad_fn is None:
        return []
    places: dict[Any, int] = {output.grad_fn: 0}
    order: list[Any] = [output.grad_fn]
    nodes: list[GraphNode] = []
    while len(nodes) < len(order) and len(nodes) < LARGEST:
        node = order[len(nodes)]
        inputs = []
        for after, _ in node.next_functions:
            if after is None:
                continue
            if after not in places:
                places[after] = len(order)
                order.append(after)
            inputs.append(places[after])
        leaf = getattr(node, "variable", None)
        nodes.append(
            GraphNode(
                node.name().removeprefix("struct torch::autograd::"),
                tuple(inputs),
                notes(node).get(SITE),
                notes(node).get(LAYER),
                names.get(id(leaf)) if leaf is not None else None,
                tuple(leaf.shape) if leaf is not None else None,
            )
        )
    return nodes
