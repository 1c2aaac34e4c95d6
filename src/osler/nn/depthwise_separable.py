"""Depthwise-separable convolution: each channel by itself, then a 1x1 convolution across them (Howard et al. 2017).

For kernels of side k and n outputs it takes 1/n + 1/k^2 of the multiply-adds of a full convolution.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import nn

from osler.nn.convolution import conv_norm_act


def depthwise_separable(
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    act: Callable[[], nn.Module] = nn.ReLU,
    linear: bool = False,
) -> nn.Sequential:
    """Depthwise and pointwise convolution, each with norm and activation, called `depthwise` and `pointwise`.

    Args:
        in_channels: channels of the input, each with a kernel of its own.
        out_channels: channels of the output.
        kernel: odd side of the depthwise kernels.
        stride: of the depthwise convolution.
        norm: called with a number of channels.
        act: called without arguments.
        linear: no activation at the end.
    """
    depthwise = conv_norm_act(in_channels, in_channels, kernel, stride=stride, groups=in_channels, norm=norm, act=act)
    pointwise = conv_norm_act(in_channels, out_channels, 1, norm=norm, act=nn.Identity if linear else act)
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))
