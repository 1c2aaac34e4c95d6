"""What positions in a row see of one side of the picture: intervals of pixels that repeat with a period.

After ordinary convolutions and poolings each position sees an interval of the same length, `jump` pixels further than the one
before (Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks", sections 2 and 3). After an
upsampling, a transposed convolution or a pooling to a size that does not divide, positions differ; but the pattern
comes again after a few of them. So a reach holds one period: position i sees from `lows[r] + q * shift` to
`highs[r] + q * shift`, where q, r = divmod(i, period). Intervals are not cut off at the picture's border, so that the
arithmetic is exact: what lies outside is padding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

Pixel = (
    int | float
)  # a float only as an infinity: a position that sees nothing, between the steps of a transposed kernel


@dataclass(frozen=True, slots=True)
class Reach:
    """Intervals of pixels, both ends included, by position."""

    shift: int  # pixels from one period to the next
    lows: tuple[Pixel, ...]
    highs: tuple[Pixel, ...]

    @property
    def period(self) -> int:
        """Positions until the pattern comes again."""
        return len(self.lows)

    @property
    def jump(self) -> Fraction:
        """Pixels from one position to the next, on average: the effective stride."""
        return Fraction(self.shift, self.period)

    @property
    def size(self) -> Pixel:
        """Pixels that a position sees; where positions differ, the most."""
        return max(high - low + 1 for low, high in zip(self.lows, self.highs, strict=True))

    def at(self, position: int) -> tuple[Pixel, Pixel]:
        """First and last pixel that a position sees."""
        times, phase = divmod(position, self.period)
        return self.lows[phase] + times * self.shift, self.highs[phase] + times * self.shift

    def through(self, taps: Callable[[int], Sequence[int]], every: int, step: int) -> "Reach":
        """What the outputs of a layer see, whose output o looks at the positions `taps(o)` of this row, in order.

        Args:
            taps: for each output the positions that it looks at; none are allowed.
            every: after so many outputs the taps are the same,
            step: so many positions further.
        """
        turns = self.period // gcd(self.period, step) if step else 1
        outputs = range(every * turns)
        ends = [self._ends(taps(o)) for o in outputs]
        shift = self.shift * (step * turns // self.period) if step else 0
        return Reach(shift, tuple(e[0] for e in ends), tuple(e[1] for e in ends))._shortest()

    def hull(self, other: "Reach") -> "Reach | None":
        """For each position the smallest interval around both; None where the two move on at different speeds."""
        if self.jump != other.jump:
            return None
        period = lcm(self.period, other.period)
        both = [(self.at(i), other.at(i)) for i in range(period)]
        lows, highs = (tuple(pick(a[k], b[k]) for a, b in both) for k, pick in ((0, min), (1, max)))
        return Reach(self.shift * (period // self.period), lows, highs)._shortest()

    def _ends(self, taps: Sequence[int]) -> tuple[Pixel, Pixel]:
        if not taps:
            return float("inf"), float("-inf")
        if self.period == 1:  # a straight line: the first and the last tap tell all
            taps = (taps[0], taps[-1])
        seen = [self.at(t) for t in taps]
        return min(low for low, _ in seen), max(high for _, high in seen)

    def _shortest(self) -> "Reach":
        """The same with the shortest period that tells it."""
        for part in range(1, self.period):
            if self.period % part or self.shift * part % self.period:
                continue
            step = self.shift * part // self.period
            if all(
                ends[i] + step == ends[i + part] for ends in (self.lows, self.highs) for i in range(self.period - part)
            ):
                return Reach(step, self.lows[:part], self.highs[:part])
        return self


PIXEL = Reach(1, (0,), (0,))  # the picture itself: position i is pixel i


def fixed(low: Pixel, high: Pixel) -> Reach:
    """The same interval from everywhere."""
    return Reach(0, (low,), (high,))
