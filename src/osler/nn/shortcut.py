"""Shortcuts of residual blocks (He et al. 2015, section 3.3 and 4.2): how the input comes to the block's output."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv


class PadShortcut(nn.Module):
    """Option A of He et al. 2015: every `stride`-th position, missing channels filled with zeros. It has no parameters.

    The zeros are shared between both ends of the channels, as in the CIFAR networks whose weights are public.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        missing = out_channels - in_channels
        self.before, self.after = missing // 2, missing - missing // 2
        self.stride = stride

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch more height2 width2"]:
        """Heights and widths become ceil(n / stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))

    def extra_repr(self) -> str:
        """What `print` shows beside the name."""
        return f"stride={self.stride}, zeros={self.before}+{self.after}"


def pad_shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The input itself where the shapes agree, else thinned out and padded with zeros (option A)."""
    same = stride == 1 and in_channels == out_channels
    return nn.Identity() if same else PadShortcut(in_channels, out_channels, stride)


def projection_shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The input itself where the shapes agree, else a 1x1 convolution with batch norm (option B)."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(conv(in_channels, out_channels, 1, stride=stride), nn.BatchNorm2d(out_channels))
