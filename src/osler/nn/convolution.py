"""Convolutions as networks use them: padded to keep the size, without the bias that a following norm would cancel."""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Zeros on each side that keep the size of a map at stride 1. `kernel` is odd."""
    return dilation * (kernel - 1) // 2


def conv(in_channels: int, out_channels: int, kernel: int = 3, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias; a map of side n becomes ceil(n / stride) for an odd kernel."""
    padding = same_padding(kernel)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)


def conv_norm_act(
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    act: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Convolution, normalisation, activation, under the names `conv`, `norm` and `act`.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: odd side of the kernel.
        stride: input positions per output position.
        groups: `in_channels` makes it depthwise.
        norm: called with `out_channels`.
        act: called without arguments; `nn.Identity` for a linear block.
    """
    parts = [
        ("conv", conv(in_channels, out_channels, kernel, stride=stride, groups=groups)),
        ("norm", norm(out_channels)),
        ("act", act()),
    ]
    return nn.Sequential(OrderedDict(parts))
