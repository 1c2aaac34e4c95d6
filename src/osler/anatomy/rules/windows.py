"""Convolutions and poolings: outputs that look at a window of positions."""

from collections.abc import Sequence

from osler.anatomy.moving import summed, walked
from osler.anatomy.rules.call import Call, rule
from osler.anatomy.sight import Sight, fresh


def spread(values: int | Sequence[int], count: int) -> list[int]:
    """One number for all sides, or one for each, as a list of `count`."""
    values = [values] if isinstance(values, int) else list(values)
    return values * count if len(values) == 1 else values


def windowed(sight: Sight, dim: int, size: int, kernel: int, stride: int, padding: int, dilation: int) -> Sight:
    """Output o looks at o * stride - padding, and `kernel` positions from there, `dilation` apart."""

    def taps(output: int) -> range:
        first = output * stride - padding
        return range(first, first + dilation * (kernel - 1) + 1, dilation)

    return walked(sight, dim, size, taps, 1, stride)


def transposed(sight: Sight, dim: int, size: int, kernel: int, stride: int, padding: int, dilation: int) -> Sight:
    """Input i is spread over i * stride - padding + dilation * k: output o looks at those i that reach it."""

    def taps(output: int) -> list[int]:
        reached = [output + padding - dilation * k for k in reversed(range(kernel))]
        return [r // stride for r in reached if r % stride == 0]

    return walked(sight, dim, size, taps, stride, 1)


@rule("convolution", "_convolution", "convolution_overrideable")
def convolution(call: Call) -> Sight:
    """A window on each side of the map, and all channels (of the group; channels hardly ever see different things)."""
    given = call.arguments
    count = given["weight"].ndim - 2
    walk = transposed if given["transposed"] else windowed
    strides, paddings, dilations = (spread(given[key], count) for key in ("stride", "padding", "dilation"))
    sight = summed(call.sight("input"), [1])
    for i in range(count):
        kernel = given["weight"].shape[2 + i]
        sight = walk(sight, 2 + i, call.shape[2 + i], kernel, strides[i], paddings[i], dilations[i])
    return Sight((sight.dims[0], *fresh(call.shape[1:2]), *sight.dims[2:]), sight.pieces, sight.exact)


def _sides(name: str) -> int:
    """2 for `avg_pool2d`."""
    return int(name[name.index("d", name.index("pool")) - 1])


@rule(
    *(f"max_pool{n}d_with_indices" for n in (1, 2, 3)),
    *(f"max_pool{n}d" for n in (1, 2, 3)),
    *(f"avg_pool{n}d" for n in (1, 2, 3)),
)
def pooling(call: Call) -> Sight:
    """A window on each side of the map; the stride is the kernel where none is given."""
    given, count = call.arguments, _sides(call.name)
    kernels = spread(given["kernel_size"], count)
    strides = spread(given["stride"] or kernels, count)
    paddings, dilations = (
        spread(given.get(key) or default, count) for key, default in (("padding", 0), ("dilation", 1))
    )
    sight = call.sight("self")
    first = len(sight.dims) - count
    for i in range(count):
        sight = windowed(sight, first + i, call.shape[first + i], kernels[i], strides[i], paddings[i], dilations[i])
    return sight


@rule(
    "adaptive_avg_pool1d",
    "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d",
    "mkldnn_adaptive_avg_pool2d",
    *(f"adaptive_max_pool{n}d" for n in (1, 2, 3)),
)
def adaptive_pooling(call: Call) -> Sight:
    """Output o of m looks at floor(o n / m) to ceil((o + 1) n / m), that excluded."""
    sight = call.sight("self")
    first = len(sight.dims) - _sides(call.name)
    for dim in range(first, len(sight.dims)):
        sight = shared_out(sight, dim, call.shape[dim])
    return sight


def shared_out(sight: Sight, dim: int, size: int) -> Sight:
    """The dimension's positions divided among `size` outputs as evenly as can be."""
    positions = sight.shape[dim]
    return walked(
        sight, dim, size, lambda o: range(o * positions // size, -(-(o + 1) * positions // size)), size, positions
    )


@rule("im2col")
def unfolded(call: Call) -> Sight:
    """Windows as columns: [batch, channels * kernel, positions]. Which value of the window it is, is not told apart."""
    given = call.arguments
    kernels, strides, paddings, dilations = (
        spread(given[key], 2) for key in ("kernel_size", "stride", "padding", "dilation")
    )
    sight = call.sight("self")
    for i in range(2):
        span = dilations[i] * (kernels[i] - 1) + 1
        size = (sight.shape[2 + i] + 2 * paddings[i] - span) // strides[i] + 1
        sight = windowed(sight, 2 + i, size, kernels[i], strides[i], paddings[i], dilations[i])
    values = summed(sight, [1])
    dims = (sight.dims[0], *fresh(call.shape[1:2]), (*values.dims[2], *values.dims[3]))
    return Sight(dims, values.pieces, values.exact)
