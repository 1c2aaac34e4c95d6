"""Pooling worked by hand, forward and backward: where each gradient goes.

For reading and for checking; `torch.nn.functional` has the same faster. Average pooling splits a gradient into equal
parts, max pooling sends the whole of it to the position that won; either way the sum is conserved.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.ops.convolution import Window, unfold_patches


def max_pool(
    x: Float[Tensor, "batch channels height width"], window: Window
) -> tuple[Float[Tensor, "batch channels rows columns"], Int[Tensor, "batch channels rows columns"]]:
    """The largest value under each window, and the position that gave it, as an index into the flattened map.

    Of equal values the first in reading order wins, as in PyTorch. Padding never wins: it counts as minus infinity.
    """
    rows, columns = window.output(x.shape[2]), window.output(x.shape[3])
    padded = _hanging_over(torch.nn.functional.pad(x, [window.padding] * 4, value=-torch.inf), window, -torch.inf)
    patches = _patches(padded, window)
    value, where = patches.max(dim=3)  # batch, channels, positions
    down, across = where // window.kernel * window.dilation, where % window.kernel * window.dilation
    position = torch.arange(rows * columns, device=x.device)
    top = position // columns * window.stride + down - window.padding
    left = position % columns * window.stride + across - window.padding
    index = top * x.shape[3] + left
    return value.unflatten(2, (rows, columns)), index.unflatten(2, (rows, columns))


def max_pool_backward(
    gradient: Float[Tensor, "batch channels rows columns"],
    index: Int[Tensor, "batch channels rows columns"],
    size: tuple[int, int],
) -> Float[Tensor, "batch channels height width"]:
    """The gradient with respect to the input: each output's goes whole to the position that won, and adds up there."""
    flat = gradient.new_zeros(*gradient.shape[:2], size[0] * size[1])
    flat.scatter_add_(2, index.flatten(2), gradient.flatten(2))
    return flat.unflatten(2, size)


def average_pool(
    x: Float[Tensor, "batch channels height width"], window: Window, *, count_padding: bool = True
) -> Float[Tensor, "batch channels rows columns"]:
    """The mean under each window; with `count_padding` the zeros of the padding count as values.

    Where a last window hangs over the edge (`ceil`), what lies behind the padding does not count.
    """
    rows, columns = window.output(x.shape[2]), window.output(x.shape[3])
    padded = _hanging_over(torch.nn.functional.pad(x, [window.padding] * 4), window)
    sums = _patches(padded, window).sum(dim=3).unflatten(2, (rows, columns))
    return sums / _counts(x, window, count_padding)


def average_pool_backward(
    gradient: Float[Tensor, "batch channels rows columns"],
    size: tuple[int, int],
    window: Window,
    *,
    count_padding: bool = True,
) -> Float[Tensor, "batch channels height width"]:
    """The gradient with respect to the input: each output's in equal parts to all positions under its window."""
    height, width = size
    like = gradient.new_zeros(1, 1, height, width)
    share = gradient / _counts(like, window, count_padding)
    padded = gradient.new_zeros(*gradient.shape[:2], height + 2 * window.padding, width + 2 * window.padding)
    padded = _hanging_over(padded, window)
    rows, columns = gradient.shape[2:]
    for down in range(window.kernel):
        for across in range(window.kernel):
            top, left = down * window.dilation, across * window.dilation
            bottom, right = top + window.stride * (rows - 1) + 1, left + window.stride * (columns - 1) + 1
            padded[:, :, top : bottom : window.stride, left : right : window.stride] += share
    inside = slice(window.padding, window.padding + height), slice(window.padding, window.padding + width)
    return padded[:, :, inside[0], inside[1]]


def _counts(
    x: Float[Tensor, "batch channels height width"], window: Window, count_padding: bool
) -> Float[Tensor, "rows columns"]:
    """By how many values each window divides."""
    rows, columns = window.output(x.shape[2]), window.output(x.shape[3])
    ones = x.new_ones(1, 1, *x.shape[2:])
    padded = torch.nn.functional.pad(ones, [window.padding] * 4, value=1.0 if count_padding else 0.0)
    return _patches(_hanging_over(padded, window), window).sum(dim=3).reshape(rows, columns)


def _hanging_over(
    padded: Float[Tensor, "batch channels height width"], window: Window, value: float = 0.0
) -> Float[Tensor, "batch channels more_height more_width"]:
    """With `ceil`, as much more at the bottom and at the right as the last windows reach over the edge."""
    more = []
    for size in (padded.shape[3], padded.shape[2]):
        last = (window.output(size - 2 * window.padding) - 1) * window.stride + window.span
        more += [0, max(0, last - size)]
    return torch.nn.functional.pad(padded, more, value=value) if any(more) else padded


def _patches(
    padded: Float[Tensor, "batch channels height width"], window: Window
) -> Float[Tensor, "batch channels positions values"]:
    """What lies under each window, channel by channel; the padding is already there."""
    bare = Window(window.kernel, window.stride, 0, window.dilation)
    return unfold_patches(padded, bare).unflatten(2, (padded.shape[1], window.kernel**2)).transpose(1, 2)
