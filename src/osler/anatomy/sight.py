"""What each element of a tensor sees of the picture, carried through every operator.

A tensor's dimensions are written as products of factors (a flattened map of 7 x 7 positions is one dimension of two factors),
so that flattening, cutting into windows and tokens, and turning back lose nothing. What an element sees is one or
more *pieces*. A piece has a side for each side of the picture: a reach, and the factors along which it moves; a side that
moves along none is the same from everywhere, as behind a global average. The elements of a squeeze-and-excitation's
output have two pieces: their neighbourhood, and through the gate the whole map.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from math import prod

from osler.anatomy.reach import PIXEL, Reach, fixed


@dataclass(frozen=True, eq=False, slots=True)
class Factor:
    """A part of a dimension: as itself, not as its size, so that two of one size are two."""

    size: int


Dims = tuple[tuple[Factor, ...], ...]


@dataclass(frozen=True, slots=True)
class Side:
    """What is seen along one side of the picture: position by position along factors, outermost first."""

    reach: Reach
    along: tuple[Factor, ...] = ()

    def anywhere(self) -> "Side":
        """The interval around all that is seen from anywhere."""
        length = prod(f.size for f in self.along)
        return Side(fixed(*self.reach.through(lambda _: range(length), 1, 0).at(0)))


Piece = tuple[Side, ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """What the elements of a tensor see.

    `exact` is False where an operator's own reach is not known or not an interval: then it is at most what is said.
    """

    dims: Dims
    pieces: tuple[Piece, ...] = ()
    exact: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's sizes."""
        return tuple(prod(f.size for f in dim) for dim in self.dims)

    def collapsed(self, shape: Sequence[int]) -> "Sight":
        """Every element of a tensor of that shape sees all that is seen here: all that can be said of an unknown operator."""
        pieces = tuple(tuple(side.anywhere() for side in piece) for piece in self.pieces)
        return Sight(fresh(shape), joined(pieces)[0], self.exact and not self.pieces)


def fresh(shape: Sequence[int]) -> Dims:
    """Dimensions along which nothing moves."""
    return tuple((Factor(n),) if n != 1 else () for n in shape)


def blind(shape: Sequence[int]) -> Sight:
    """Of a tensor that holds nothing of the picture: a weight, a constant."""
    return Sight(fresh(shape))


def of_picture(shape: Sequence[int], sides: Sequence[int]) -> Sight:
    """Of the input itself, whose dimensions `sides` are the picture's sides."""
    dims = fresh(shape)
    return Sight(dims, (tuple(Side(PIXEL if dims[d] else fixed(0, 0), dims[d]) for d in sides),))


def joined(pieces: Sequence[Piece]) -> tuple[tuple[Piece, ...], bool]:
    """Pieces that move along the same factors as one; and whether that was exact."""
    kept: dict[tuple[tuple[Factor, ...], ...], Piece] = {}
    exact = True
    for piece in pieces:
        key = tuple(side.along for side in piece)
        if key not in kept:
            kept[key] = piece
            continue
        hulls = [a.reach.hull(b.reach) for a, b in zip(kept[key], piece, strict=True)]
        if any(
            hull is None for hull in hulls
        ):  # two speeds along one dimension: only what is seen from anywhere is certain
            exact = False
            apart = [tuple(side.anywhere() for side in p) for p in (kept.pop(key), piece)]
            merged, _ = joined([*kept.values(), *apart])
            kept = {tuple(side.along for side in p): p for p in merged}
        else:
            kept[key] = tuple(Side(h, s.along) for h, s in zip(hulls, piece, strict=True) if h is not None)
    return tuple(kept.values()), exact


def renamed(sight: Sight, new: dict[Factor, tuple[Factor, ...]]) -> Sight:
    """Factors put in the place of others: one or several of the same product."""

    def put(factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
        return tuple(n for f in factors for n in new.get(f, (f,)))

    pieces = tuple(tuple(Side(side.reach, put(side.along)) for side in piece) for piece in sight.pieces)
    return replace(sight, dims=tuple(put(dim) for dim in sight.dims), pieces=pieces)


def union(sights: Sequence[Sight]) -> Sight:
    """Of tensors of the same shape, combined element by element: each sees what any of them sees there."""
    if len(sights) == 1:
        return sights[0]
    aligned = _aligned(sights)
    pieces, exact = joined([piece for sight in aligned for piece in sight.pieces])
    return Sight(aligned[0].dims, pieces, exact and all(s.exact for s in aligned))


def _aligned(sights: Sequence[Sight]) -> list[Sight]:
    """The same with one set of factors for all: where they are cut differently, cut as finely as needed."""
    sizes = {tuple(tuple(f.size for f in dim) for dim in s.dims) for s in sights}
    cuts = [_common_cuts(dims) for dims in zip(*(s.dims for s in sights), strict=True)] if len(sizes) > 1 else []
    out: list[Sight] = []
    for sight in sights:
        cut = _cut(sight, cuts) if cuts else sight
        if out:
            pairs = zip((f for d in cut.dims for f in d), (f for d in out[0].dims for f in d), strict=True)
            cut = renamed(cut, {mine: (theirs,) for mine, theirs in pairs})
        out.append(cut)
    return out


def _common_cuts(dims: Sequence[tuple[Factor, ...]]) -> list[int] | None:
    """Sizes of factors, outermost first, into which all these ways to write one dimension can be cut; None: there are none."""
    borders = sorted({prod(f.size for f in dim[i:]) for dim in dims for i in range(len(dim) + 1)})
    if any(b % a for a, b in pairwise(borders)):
        return None
    return [b // a for a, b in pairwise(borders)][::-1]


def _cut(sight: Sight, cuts: Sequence[list[int] | None]) -> Sight:
    new: dict[Factor, tuple[Factor, ...]] = {}
    for dim, sizes in zip(sight.dims, cuts, strict=True):
        if sizes is None:
            continue
        left = list(sizes)
        for factor in dim:
            parts: list[int] = []
            while prod(parts) < factor.size:
                parts.append(left.pop(0))
            if len(parts) > 1:
                new[factor] = tuple(Factor(n) for n in parts)
    sight = renamed(sight, new)
    broken = [i for i, sizes in enumerate(cuts) if sizes is None]
    return reduce(forget, broken, sight)


def forget(sight: Sight, dim: int) -> Sight:
    """The dimension as one new factor; what moved along it is seen from anywhere on it."""
    factors = set(sight.dims[dim])
    hit = any(factors & set(side.along) for piece in sight.pieces for side in piece)
    pieces = [tuple(s.anywhere() if factors & set(s.along) else s for s in piece) for piece in sight.pieces]
    size = prod(f.size for f in sight.dims[dim])
    dims = (*sight.dims[:dim], (Factor(size),) if size != 1 else (), *sight.dims[dim + 1 :])
    kept, exact = joined(pieces)
    return Sight(dims, kept, sight.exact and exact and not hit)
