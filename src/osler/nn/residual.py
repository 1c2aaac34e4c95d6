"""Residual blocks (He, Zhang, Ren, Sun 2015, figure 5): a few convolutions whose output is added to their input.

Submodules bear the names under which the field's public weights are stored (conv1, bn1, ..., downsample).
"""

from collections.abc import Callable
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv
from osler.nn.shortcut import projection_shortcut

Shortcut = Callable[[int, int, int], nn.Module]  # in channels, out channels, stride
Attention = Callable[[int], nn.Module]  # of the channels before the addition; keeps the shape
StrideIn = Literal["3x3", "1x1"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; the first has the stride."""

    expansion = 1  # output channels per unit of width

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        shortcut: Shortcut = projection_shortcut,
        attention: Attention | None = None,
    ) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, 3, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.se = nn.Identity() if attention is None else attention(width)
        self.downsample = shortcut(in_channels, width, stride)
        self.relu2 = nn.ReLU()

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """The norm before the addition; with weight 0 the block starts as its shortcut (Goyal et al. 2017)."""
        return self.bn2

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch width height2 width2"]:
        """Heights and widths become ceil(n / stride)."""
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.se(self.bn2(self.conv2(y)))
        return self.relu2(y + self.downsample(x))


class PlainBlock(nn.Module):
    """A `BasicBlock` without its shortcut: what the plain networks of He et al. 2015 (section 4.1) are made of."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, 3, stride=stride)
        self.bn1, self.relu1 = nn.BatchNorm2d(width), nn.ReLU()
        self.conv2 = conv(width, width, 3)
        self.bn2, self.relu2 = nn.BatchNorm2d(width), nn.ReLU()

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch width height2 width2"]:
        """Heights and widths become ceil(n / stride)."""
        return self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))


class Bottleneck(nn.Module):
    """1x1 down to `width`, 3x3, 1x1 up to four times `width`.

    The stride is in the 3x3 convolution, not in the first 1x1 as printed in 2015 (`stride_in="1x1"`): known as ResNet
    v1.5, and the form of the public weights.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        shortcut: Shortcut = projection_shortcut,
        attention: Attention | None = None,
        stride_in: StrideIn = "3x3",
    ) -> None:
        super().__init__()
        out_channels = width * self.expansion
        first = stride if stride_in == "1x1" else 1
        self.conv1 = conv(in_channels, width, 1, stride=first)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = conv(width, width, 3, stride=stride // first)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv3 = conv(width, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.se = nn.Identity() if attention is None else attention(out_channels)
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
        y = self.se(self.bn3(self.conv3(y)))
        return self.relu3(y + self.downsample(x))


class PreActBasicBlock(nn.Module):
    """Norm and activation before each 3x3 convolution, and nothing after the addition: the shortcut is an identity.

    He et al. 2016, "Identity mappings in deep residual networks", figure 4e. Where the shape changes, the shortcut
    (`downsample`) is a 1x1 convolution of the first activation; elsewhere it is None, and the input itself goes on.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.bn1, self.relu1 = nn.BatchNorm2d(in_channels), nn.ReLU()
        self.conv1 = conv(in_channels, width, 3, stride=stride)
        self.bn2, self.relu2 = nn.BatchNorm2d(width), nn.ReLU()
        self.conv2 = conv(width, width, 3)
        self.downsample = _plain_projection(in_channels, width, stride)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch width height2 width2"]:
        """Heights and widths become ceil(n / stride)."""
        y = self.relu1(self.bn1(x))
        short = x if self.downsample is None else self.downsample(y)
        return self.conv2(self.relu2(self.bn2(self.conv1(y)))) + short


class PreActBottleneck(nn.Module):
    """1x1, 3x3, 1x1, each behind norm and activation (He et al. 2016, as `PreActBasicBlock`); the 3x3 has the stride."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.bn1, self.relu1 = nn.BatchNorm2d(in_channels), nn.ReLU()
        self.conv1 = conv(in_channels, width, 1)
        self.bn2, self.relu2 = nn.BatchNorm2d(width), nn.ReLU()
        self.conv2 = conv(width, width, 3, stride=stride)
        self.bn3, self.relu3 = nn.BatchNorm2d(width), nn.ReLU()
        self.conv3 = conv(width, out_channels, 1)
        self.downsample = _plain_projection(in_channels, out_channels, stride)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height2 width2"]:
        """Heights and widths become ceil(n / stride); channels four times the width."""
        y = self.relu1(self.bn1(x))
        short = x if self.downsample is None else self.downsample(y)
        y = self.conv2(self.relu2(self.bn2(self.conv1(y))))
        return self.conv3(self.relu3(self.bn3(y))) + short


def _plain_projection(in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """A 1x1 convolution where the shape changes; None where it does not."""
    same = stride == 1 and in_channels == out_channels
    return None if same else conv(in_channels, out_channels, 1, stride=stride)


Block = type[BasicBlock] | type[PlainBlock] | type[Bottleneck] | type[PreActBasicBlock] | type[PreActBottleneck]


def stage(block: Block, in_channels: int, width: int, *, depth: int, stride: int, **options: Any) -> nn.Sequential:
    """`depth` blocks of one width; the first has the stride and changes the channels. `options` go to every block."""
    first = block(in_channels, width, stride, **options)
    return nn.Sequential(first, *(block(width * block.expansion, width, 1, **options) for _ in range(depth - 1)))
