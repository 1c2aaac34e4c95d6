"""Residual blocks (He, Zhang, Ren, Sun 2015, figure 5): a few convolutions whose output is added to their input.

Submodules bear the names under which the field's public weights are stored (conv1, bn1, ..., downsample).
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv
from osler.nn.shortcut import projection_shortcut

Shortcut = Callable[[int, int, int], nn.Module]  # in channels, out channels, stride


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; the first has the stride."""

    expansion = 1  # output channels per unit of width

    def __init__(self, in_channels: int, width: int, stride: int = 1, shortcut: Shortcut = projection_shortcut) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, 3, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(in_channels, width, stride)
        self.relu2 = nn.ReLU()

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The norm before the addition; with weight 0 the block starts as its shortcut (Goyal et al. 2017)."""
        return self.bn2

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch width height2 width2"]:
        """Heights and widths become ceil(n / stride)."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu2(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1 down to `width`, 3x3, 1x1 up to four times `width`.

    The stride is in the 3x3 convolution, not in the first 1x1 as printed in 2015: known as ResNet v1.5, and the form of
    the public weights.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1, shortcut: Shortcut = projection_shortcut) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = conv(in_channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = conv(width, width, 3, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv3 = conv(width, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(in_channels, out_channels, stride)
        self.relu3 = nn.ReLU()

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The norm before the addition; with weight 0 the block starts as its shortcut (Goyal et al. 2017)."""
        return self.bn3

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height2 width2"]:
        """Heights and widths become ceil(n / stride); channels four times the width."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu3(y + self.downsample(x))


def stage(
    block: type[BasicBlock] | type[Bottleneck],
    in_channels: int,
    width: int,
    *,
    depth: int,
    stride: int,
    shortcut: Shortcut = projection_shortcut,
) -> nn.Sequential:
    """`depth` blocks of one width; the first has the stride and changes the channels."""
    out_channels = width * block.expansion
    first = block(in_channels, width, stride, shortcut)
    return nn.Sequential(first, *(block(out_channels, width, 1, shortcut) for _ in range(depth - 1)))
