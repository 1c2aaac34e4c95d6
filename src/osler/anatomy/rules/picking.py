"""Operators that take some of the elements, or put tensors side by side."""

from collections.abc import Sequence
from functools import reduce

from osler.anatomy.moving import dropped, inserted, walked
from osler.anatomy.rules.call import Call, rule
from osler.anatomy.sight import Sight, forget, fresh, union


def _part(sight: Sight, dim: int, start: int, size: int, step: int = 1) -> Sight:
    return walked(sight, dim, size, lambda o: (start + o * step,), 1, step)


@rule("slice")
def sliced(call: Call) -> Sight:
    """Every `step`-th element from `start` on."""
    dim, size = call.dim(), call.arguments["self"].shape[call.dim()]
    start = call.arguments["start"] or 0
    start = max(0, min(size, start + size if start < 0 else start))
    return _part(call.sight("self"), dim, start, call.shape[dim], call.arguments["step"])


@rule("select")
def selected(call: Call) -> Sight:
    """One element along a dimension."""
    return _one(call.sight("self"), call.dim(), call.arguments["index"])


def _one(sight: Sight, dim: int, index: int) -> Sight:
    return dropped(_part(sight, dim, index % sight.shape[dim], 1), [dim])


@rule("unbind")
def unbound(call: Call) -> list[Sight]:
    """Each element along a dimension as a tensor of its own."""
    return [_one(call.sight("self"), call.dim(), i) for i in range(len(call.outputs))]


@rule("split", "split_with_sizes", "chunk", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk")
def split(call: Call) -> list[Sight]:
    """Successive parts of a dimension."""
    dim, parts, start = call.dim(), [], 0
    for output in call.outputs:
        parts.append(_part(call.sight("self"), dim, start, output.shape[dim]))
        start += output.shape[dim]
    return parts


@rule("glu")
def gated_half(call: Call) -> Sight:
    """The first half of a dimension, and the second, its gate."""
    dim = call.dim()
    half = call.shape[dim]
    return union([_part(call.sight("self"), dim, start, half) for start in (0, half)])


@rule("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
      "replication_pad1d", "replication_pad2d", "replication_pad3d")  # fmt: skip
def padded(call: Call) -> Sight:
    """Positions before and after; what a border repeats of the picture counts as padding too."""
    sight = call.sight("self")
    pads = call.arguments["pad" if call.name == "constant_pad_nd" else "padding"]
    for i, before in enumerate(pads[::2]):
        dim = len(sight.dims) - 1 - i
        if before or pads[2 * i + 1]:
            sight = _part(sight, dim, -before, call.shape[dim])
    return sight


@rule("flip")
def flipped(call: Call) -> Sight:
    """The last first."""
    sight = call.sight("self")
    for d in call.arguments["dims"]:
        dim = d % len(sight.dims)
        size = sight.shape[dim]
        sight = walked(sight, dim, size, lambda o, last=size - 1: (last - o,), 1, -1)  # type: ignore[misc]
    return sight


@rule("roll", "index_select", "gather", "scatter", "index_copy", "masked_select", "index", "index_put")
def mixed_up(call: Call) -> Sight:
    """Elements of one dimension in an order that is not followed."""
    sights = [call.seen_by(t) for t in call.tensors]
    dims = call.arguments.get("dims") or call.arguments.get("dim")
    if call.name != "roll" or not dims:
        return union([s.collapsed(call.shape) for s in sights])
    return reduce(forget, [d % len(call.shape) for d in dims], sights[0])


@rule("unfold")
def windows_as_dimension(call: Call) -> Sight:
    """Windows along a dimension, their values in a new last one; which value of the window it is, is not told apart."""
    given = call.arguments
    dim = call.dim("dimension")
    size, step = given["size"], given["step"]
    sight = walked(call.sight("self"), dim, call.shape[dim], lambda o: range(o * step, o * step + size), 1, step)
    return Sight((*sight.dims, *fresh((size,))), sight.pieces, sight.exact)


@rule("embedding")
def embedded(call: Call) -> Sight:
    """A vector for each index."""
    sight = call.sight("indices")
    return Sight((*sight.dims, *fresh(call.shape[-1:])), sight.pieces, sight.exact)


@rule("cat")
def concatenated(call: Call) -> Sight:
    """Side by side along a dimension, mostly that of the channels."""
    tensors = [t for t in call.arguments["tensors"] if t.numel() or t.ndim == len(call.shape)]
    dim = call.arguments["dim"] % len(call.shape)
    return _side_by_side([call.seen_by(t) for t in tensors], dim, call.shape[dim])


def _side_by_side(sights: Sequence[Sight], dim: int, size: int) -> Sight:
    seeing = [i for i, s in enumerate(sights) if _moves_along(s, dim)]
    if len(seeing) == 1 and all(not s.pieces for i, s in enumerate(sights) if i != seeing[0]):
        before = sum(s.shape[dim] for s in sights[: seeing[0]])  # constants around: as good as padding
        return _part(sights[seeing[0]], dim, -before, size)
    new = fresh((size,))[0]
    flat = [forget(s, dim) if i in seeing else s for i, s in enumerate(sights)]
    return union([Sight((*s.dims[:dim], new, *s.dims[dim + 1 :]), s.pieces, s.exact) for s in flat])


def _moves_along(sight: Sight, dim: int) -> bool:
    factors = set(sight.dims[dim])
    return any(factors & set(side.along) for piece in sight.pieces for side in piece)


@rule("stack")
def stacked(call: Call) -> Sight:
    """Side by side along a new dimension."""
    dim = call.arguments["dim"] % len(call.shape)
    return _side_by_side([inserted(call.seen_by(t), dim) for t in call.arguments["tensors"]], dim, call.shape[dim])
