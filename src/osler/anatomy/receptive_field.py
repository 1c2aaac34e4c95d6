"""The receptive field of a map, told as the textbooks do: its size, the jump from one position to the next, its centre."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

from osler.anatomy.sight import Piece, Side, Sight


@dataclass(frozen=True, slots=True)
class SeenSide:
    """What positions see along one side of the picture."""

    pixels: int  # of the picture; those that would lie outside of it are counted too
    jump: Fraction | None  # pixels from one position to the next; None: all positions see the same
    first: tuple[int, int]  # first and last pixel that position 0 sees (the first that sees any); below 0 lies padding
    length: int  # the picture's side
    lows: tuple[int, ...]  # of each position its first pixel; 0, and -1 as the last, where it sees nothing
    highs: tuple[int, ...]  # and its last

    @property
    def centre(self) -> float:
        """The middle of what position 0 sees, in pixels from the middle of pixel 0."""
        return (self.first[0] + self.first[1]) / 2

    @property
    def everything(self) -> bool:
        """Whether every position sees the whole side."""
        return max(self.lows) <= 0 and min(self.highs) >= self.length - 1


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What the elements of a map see: their neighbourhood, and perhaps beyond it the whole.

    `beyond` is True where a gate, an attention or a norm of its own statistics lets each element see more than its
    neighbourhood. Where `exact` is False, it is at most what is said: an operator on the way has no rule.
    """

    sides: tuple[SeenSide, ...]
    beyond: bool = False
    exact: bool = True

    @property
    def size(self) -> tuple[int, ...]:
        """Pixels along each side of the picture, the padding's with them."""
        return tuple(side.pixels for side in self.sides)

    @property
    def everything(self) -> bool:
        """Whether every element sees the whole picture."""
        return all(side.everything for side in self.sides)


def receptive_field(sight: Sight, picture: Sequence[int]) -> ReceptiveField | None:
    """Of a tensor, from what its elements see; None where they see nothing of the picture.

    Args:
        sight: what its elements see.
        picture: the picture's sides in pixels.
    """
    if not sight.pieces:
        return None
    local = max(sight.pieces, key=_locality)
    sides = tuple(_seen(side, n) for side, n in zip(local, picture, strict=True))
    return ReceptiveField(sides, len(sight.pieces) > 1, sight.exact)


def _locality(piece: Piece) -> tuple[int, float]:
    """The piece that moves along most sides, and of those the smallest, is the neighbourhood."""
    return sum(bool(side.along) for side in piece), -sum(side.reach.size for side in piece)


def _seen(side: Side, length: int) -> SeenSide:
    count = 1
    for factor in side.along:
        count *= factor.size
    ends = [side.reach.at(i) for i in range(count)]
    pixels = [(int(low), int(high)) if isfinite(low) else (0, -1) for low, high in ends]
    lows, highs = zip(*pixels, strict=True)
    first = next((p for p in pixels if p[1] >= p[0]), (0, -1))
    size = side.reach.size
    return SeenSide(
        int(size) if isfinite(size) else 0, side.reach.jump if side.along else None, first, length, lows, highs
    )
