"""What elements see after a tensor is cut, turned, walked over by a window, or summed along a dimension."""

from collections.abc import Callable, Sequence
from math import prod

from osler.anatomy.reach import Reach
from osler.anatomy.sight import Dims, Factor, Piece, Side, Sight, forget, joined, renamed

Taps = Callable[[int], Sequence[int]]


def permuted(sight: Sight, order: Sequence[int]) -> Sight:
    """Dimensions in another order."""
    return Sight(tuple(sight.dims[d] for d in order), sight.pieces, sight.exact)


def broadcast(sight: Sight, shape: Sequence[int]) -> Sight:
    """The tensor repeated along new leading dimensions and along those of size 1."""
    dims: Dims = ((),) * (len(shape) - len(sight.dims)) + sight.dims
    grown = tuple(dim if dim or n == 1 else (Factor(n),) for dim, n in zip(dims, shape, strict=True))
    return Sight(grown, sight.pieces, sight.exact)


def reshaped(sight: Sight, shape: Sequence[int]) -> Sight:
    """The same elements in the same order under another shape."""
    if sight.shape == tuple(shape):
        return sight
    left = [f for dim in sight.dims for f in dim]
    if not sight.pieces or prod(f.size for f in left) != prod(shape) or 0 in shape:
        return sight.collapsed(shape)
    dims: list[tuple[Factor, ...]] = []
    new: dict[Factor, tuple[Factor, ...]] = {}
    for n in shape:
        taken: list[Factor] = []
        while prod(f.size for f in taken) < n:
            need, factor = n // prod(f.size for f in taken), left.pop(0)
            if factor.size > need:
                if factor.size % need or n % prod(f.size for f in taken):
                    return sight.collapsed(shape)
                outer, inner = Factor(need), Factor(factor.size // need)
                new = {
                    old: tuple(p for f in put for p in ((outer, inner) if f is factor else (f,)))
                    for old, put in new.items()
                }
                new.setdefault(factor, (outer, inner))
                left.insert(0, inner)
                factor = outer
            elif need % factor.size:
                return sight.collapsed(shape)
            taken.append(factor)
        dims.append(tuple(taken))
    cut = renamed(sight, new)
    return Sight(tuple(dims), cut.pieces, cut.exact)


def as_one(sight: Sight, dim: int) -> Sight:
    """The dimension as one factor, as a window needs it."""
    factors = sight.dims[dim]
    if len(factors) <= 1:
        return sight
    whole = Factor(prod(f.size for f in factors))
    pieces = []
    for piece in sight.pieces:
        sides = [_on_whole(side, factors, whole) for side in piece]
        if any(side is None for side in sides):
            return forget(sight, dim)
        pieces.append(tuple(s for s in sides if s is not None))
    dims = (*sight.dims[:dim], (whole,), *sight.dims[dim + 1 :])
    return Sight(dims, tuple(pieces), sight.exact)


def _on_whole(side: Side, factors: tuple[Factor, ...], whole: Factor) -> Side | None:
    """The side along the whole dimension; None where its order is another one."""
    hit = [f for f in side.along if f in factors]
    if not hit:
        return side
    start = side.along.index(hit[0])
    if side.along[start : start + len(factors)] == factors:
        return Side(side.reach, (*side.along[:start], whole, *side.along[start + len(factors) :]))
    leading = factors[: len(side.along)]
    if side.along != leading:
        return None
    inner = prod(f.size for f in factors[len(leading) :])
    return Side(side.reach.through(lambda o: (o // inner,), inner, 1), (whole,))  # each position repeated


def walked(sight: Sight, dim: int, size: int, taps: Taps, every: int, step: int) -> Sight:
    """A dimension replaced by one of `size` positions, of which output o looks at the positions `taps(o)` of the old one.

    Args:
        sight: of the tensor that is walked over.
        dim: the dimension.
        size: its new size.
        taps: the positions that an output looks at, in order; those outside the dimension are padding.
        every: after so many outputs the taps repeat,
        step: so many positions further.
    """
    sight = as_one(sight, dim)
    new = Factor(size)
    dims = (*sight.dims[:dim], (new,) if size != 1 else (), *sight.dims[dim + 1 :])
    if not sight.dims[dim]:  # of one position: whatever looks at it sees the same
        return Sight(dims, sight.pieces, sight.exact)
    old = sight.dims[dim][0]
    pieces: list[Piece] = []
    for piece in sight.pieces:
        pieces.append(tuple(_walked_side(s, old, new, taps, every, step) if old in s.along else s for s in piece))
    kept, exact = joined(pieces)
    return Sight(dims, kept, sight.exact and exact)


def _walked_side(side: Side, old: Factor, new: Factor, taps: Taps, every: int, step: int) -> Side:
    place = side.along.index(old)
    outer, inner = (prod(f.size for f in part) for part in (side.along[:place], side.along[place + 1 :]))
    keep = (new,) if new.size != 1 else ()
    along = (*side.along[:place], *keep, *side.along[place + 1 :])
    if len(side.along) == 1:
        reach = side.reach.through(taps, every, step)
        if not keep:
            reach = Reach(0, reach.lows[:1], reach.highs[:1])
        return Side(reach, along)
    if outer == 1 and keep:
        spread = _spread(taps, inner, 0, None)
        return Side(side.reach.through(spread, every * inner, step * inner), along)
    # Each block of the outer factors has its own border, at which the taps end.
    block = new.size * inner
    blocked = _spread(taps, inner, new.size, old.size)
    return Side(side.reach.through(blocked, block, old.size * inner if outer > 1 else inner), along)


def _spread(taps: Taps, inner: int, outputs: int, inputs: int | None) -> Taps:
    """Taps on a factor that others lie inside of (`inner` positions each) and, with `inputs`, around."""

    def spread(o: int) -> Sequence[int]:
        position, within = divmod(o, inner)
        if inputs is None:
            return [t * inner + within for t in taps(position)]
        before, position = divmod(position, outputs)
        return [(before * inputs + t) * inner + within for t in taps(position) if 0 <= t < inputs]

    return spread


def summed(sight: Sight, dims: Sequence[int]) -> Sight:
    """Dimensions of which everything is looked at at once, as size 1: a sum, a mean, a maximum, a product of matrices."""
    for dim in dims:
        for factor in sight.dims[dim]:
            sight = _without(sight, factor)
        sight = Sight((*sight.dims[:dim], (), *sight.dims[dim + 1 :]), sight.pieces, sight.exact)
    return sight


def _without(sight: Sight, factor: Factor) -> Sight:
    gone, everything = Factor(1), range(factor.size)
    pieces = [
        tuple(_walked_side(s, factor, gone, lambda _: everything, 1, 1) if factor in s.along else s for s in piece)
        for piece in sight.pieces
    ]
    kept, exact = joined(pieces)
    return Sight(sight.dims, kept, sight.exact and exact)


def dropped(sight: Sight, dims: Sequence[int]) -> Sight:
    """Without dimensions of size 1."""
    gone = {d % len(sight.dims) for d in dims} if sight.dims else set()
    return Sight(tuple(dim for d, dim in enumerate(sight.dims) if d not in gone), sight.pieces, sight.exact)


def inserted(sight: Sight, dim: int) -> Sight:
    """With one more dimension of size 1."""
    return Sight((*sight.dims[:dim], (), *sight.dims[dim:]), sight.pieces, sight.exact)


def beside(sight: Sight, dims: Sequence[int]) -> Sight:
    """Each element sees what it saw, and all along the given dimensions: a softmax, a norm whose statistics are its own."""
    everything = summed(sight, dims)
    moved = {f for d in dims for f in sight.dims[d]}
    if not any(moved & set(side.along) for piece in sight.pieces for side in piece):
        return sight
    kept, exact = joined([*sight.pieces, *everything.pieces])
    return Sight(sight.dims, kept, sight.exact and exact)
