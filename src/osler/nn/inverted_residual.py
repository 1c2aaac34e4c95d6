"""Inverted residual with linear bottleneck (Sandler et al. 2018, "MobileNetV2", section 3): wide inside, narrow outside.

A ResNet bottleneck narrows, convolves and widens; this one widens, convolves each channel by itself, and narrows without
an activation, because ReLU in few dimensions destroys what it carries.
"""

from collections import OrderedDict
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv_norm_act


class InvertedResidual(nn.Module):
    """1x1 to `inside` channels, depthwise convolution, gate where there is one, 1x1 without activation.

    The input is added where the stride is 1 and the channels stay.

    Args:
        in_channels: of the input.
        inside: channels in between; as many as the input: the first 1x1 is left out.
        out_channels: of the output.
        kernel: odd side of the depthwise kernels.
        stride: of the depthwise convolution.
        norm: called with a number of channels.
        act: called without arguments.
        attention: called with `inside`, e.g. squeeze and excitation (MobileNetV3); None: none.
    """

    def __init__(
        self,
        in_channels: int,
        inside: int,
        out_channels: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
        act: Callable[[], nn.Module] = nn.ReLU6,
        attention: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if inside != in_channels:
            parts["expand"] = conv_norm_act(in_channels, inside, 1, norm=norm, act=act)
        parts["depthwise"] = conv_norm_act(inside, inside, kernel, stride=stride, groups=inside, norm=norm, act=act)
        if attention is not None:
            parts["attention"] = attention(inside)
        parts["project"] = conv_norm_act(inside, out_channels, 1, norm=norm, act=nn.Identity)
        self.layers = nn.Sequential(parts)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height2 width2"]:
        """Heights and widths become ceil(n / stride)."""
        y = self.layers(x)
        return x + y if self.residual else y
