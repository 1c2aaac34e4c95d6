"""Where several linear layers meet on purpose: at the sums of a feature pyramid, and at a head that many layers feed."""

from osler.doctor.loss_graph import RESHAPING, LossGraph, Weighted, is_one_of

RESIZING = (
    "UpsampleNearest", "UpsampleNearestExact", "UpsampleBilinear", "UpsampleBicubic", "UpsampleTrilinear", "PixelShuffle",
)  # fmt: skip


def smooths_a_pyramid(graph: LossGraph, lower: Weighted) -> bool:
    """Whether a convolution reads what a feature pyramid adds up: maps of several layers, some enlarged to the size of others.

    Then no single layer could stand in for it and the next (Lin et al. 2017, section 3: a 1x1 convolution for each level, sums
    with the enlarged coarser map, and a 3x3 convolution, all without activations). The coarsest level is added to nothing
    itself: its map is what the others add.
    """
    if lower.kind != "convolution":
        return False
    sources = {k for k in _linear_below(graph, lower.node) if k in graph.weighted}
    return any(_is_pyramids_sum(graph, place) for source in sources for place in _linear_above(graph, source))


def is_shared(graph: LossGraph, upper: Weighted) -> bool:
    """Whether a layer's weights read the outputs of several other layers: it cannot be one with each of them."""
    below = [_next_weights(graph, place) for place, other in graph.weighted.items() if other.leaf == upper.leaf]
    return len({leaf for leaf in below if leaf is not None and leaf != upper.leaf}) > 1


def _is_pyramids_sum(graph: LossGraph, place: int) -> bool:
    """Whether an addition joins maps of different layers, of which one is enlarged on its way."""
    if not is_one_of(graph.nodes[place].operation, ("Add",)) or len(graph.data(place)) < 2:
        return False
    under = _linear_below(graph, place)
    leaves = {graph.weighted[k].leaf for k in under if k in graph.weighted}
    return len(leaves) > 1 and any(is_one_of(graph.nodes[k].operation, RESIZING) for k in under)


def _linear_below(graph: LossGraph, start: int) -> set[int]:
    """What an operation reads through linear operations without weights, the first layers with weights included."""
    found: set[int] = set()
    waiting = list(graph.data(start))
    while waiting:
        here = waiting.pop()
        if here in found:
            continue
        found.add(here)
        if here not in graph.weighted and graph.is_linear(here):
            waiting.extend(graph.data(here))
    return found


def _linear_above(graph: LossGraph, start: int) -> set[int]:
    """The linear operations without weights through which a layer's output goes."""
    found: set[int] = set()
    waiting = list(graph.consumers[start])
    while waiting:
        here = waiting.pop()
        if here not in found and here not in graph.weighted and graph.is_linear(here):
            found.add(here)
            waiting.extend(graph.consumers[here])
    return found


def _next_weights(graph: LossGraph, start: int) -> int | None:
    """The weights of the layer that alone feeds another, through what only reorders values."""
    for place in graph.chain(start):
        if place in graph.weighted:
            return graph.weighted[place].leaf
        if not is_one_of(graph.nodes[place].operation, RESHAPING):
            return None
    return None
