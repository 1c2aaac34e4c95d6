"""Operators that change the size of a map without a trained window: upsampling, pixel shuffling, grid sampling."""

from fractions import Fraction
from math import floor
from typing import Any

from osler.anatomy.moving import broadcast, permuted, summed, walked
from osler.anatomy.rules.call import Call, rule
from osler.anatomy.sight import Sight, fresh, union

# For each way, the positions around the exact place at which it looks, and whether places are counted from middles.
NEAREST = [f"upsample_nearest{n}d" for n in (1, 2, 3)]
NEAREST_EXACT = [f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)]
LINEAR = ["upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"]
CUBIC = ["upsample_bicubic2d"]


@rule(*NEAREST, *NEAREST_EXACT, *LINEAR, *CUBIC)
def upsampled(call: Call) -> Sight:
    """Output o looks around the place in the input that corresponds to it."""
    sight, given = call.sight("self"), call.arguments
    for dim in range(2, len(sight.dims)):
        sight = _resized(sight, dim, call.shape[dim], call.name, given, dim - 2)
    return sight


def _resized(sight: Sight, dim: int, size: int, name: str, given: dict[str, Any], side: int) -> Sight:
    old = sight.shape[dim]
    if old == size == 1:
        return sight
    corners = bool(given.get("align_corners"))
    if corners:
        scale = Fraction(old - 1, max(1, size - 1))
    else:
        factor = _factor(given, side)
        scale = Fraction(1 / factor).limit_denominator(4096) if factor else Fraction(old, size)

    def taps(output: int) -> range:
        if name in NEAREST:
            return _around(output * scale, 0, 0)
        middle = output * scale if corners else (output + Fraction(1, 2)) * scale - Fraction(1, 2)
        if name in NEAREST_EXACT:
            return _around(middle + Fraction(1, 2), 0, 0)
        reach = (1, 2) if name in CUBIC else (0, 1)
        return _around(middle, 0, 0) if middle.denominator == 1 else _around(middle, *reach)

    return walked(sight, dim, size, taps, scale.denominator, scale.numerator)


def _around(place: Fraction, before: int, after: int) -> range:
    return range(floor(place) - before, floor(place) + after + 1)


def _factor(given: dict[str, Any], side: int) -> float | None:
    """The scale that was asked for, where it was not a size."""
    factors = given.get("scale_factors")
    if factors is None:
        names = [key for key in ("scales_d", "scales_h", "scales_w", "scales") if key in given]
        factors = [given[key] for key in names]
    return factors[side] if side < len(factors) else None


@rule("pixel_shuffle")
def shuffled(call: Call) -> Sight:
    """Channels become positions: output o looks at o // factor."""
    sight, factor = call.sight("self"), call.arguments["upscale_factor"]
    for dim in (len(sight.dims) - 2, len(sight.dims) - 1):
        sight = walked(sight, dim, call.shape[dim], lambda o: (o // factor,), factor, 1)
    return _other_channels(sight, call.shape[-3])


@rule("pixel_unshuffle")
def unshuffled(call: Call) -> Sight:
    """Positions become channels; which of them, is not told apart."""
    sight, factor = call.sight("self"), call.arguments["downscale_factor"]
    for dim in (len(sight.dims) - 2, len(sight.dims) - 1):
        sight = walked(sight, dim, call.shape[dim], lambda o: range(o * factor, (o + 1) * factor), 1, factor)
    return _other_channels(sight, call.shape[-3])


def _other_channels(sight: Sight, channels: int) -> Sight:
    place = len(sight.dims) - 3
    return Sight((*sight.dims[:place], *fresh((channels,)), *sight.dims[place + 1 :]), sight.pieces, sight.exact)


@rule("grid_sampler_2d", "grid_sampler_3d")
def sampled(call: Call) -> Sight:
    """The grid may point anywhere: the whole map, and what the grid itself saw."""
    sight, grid = call.sight("input"), call.sight("grid")
    last = len(grid.dims) - 1
    points = permuted(summed(grid, [last]), [0, last, *range(1, last)])
    everywhere = summed(sight, list(range(2, len(sight.dims))))
    return union([broadcast(everywhere, call.shape), broadcast(points, call.shape)])
