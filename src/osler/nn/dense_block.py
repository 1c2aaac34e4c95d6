"""Dense blocks: every layer sees the outputs of all layers before it (Huang, Liu, van der Maaten, Weinberger 2017)."""

from typing import Annotated

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv


class DenseLayer(nn.Module):
    """Norm, ReLU, 1x1 to four times the growth, norm, ReLU, 3x3 to the growth (section 3, "bottleneck layers").

    Args:
        in_channels: of all maps before it together.
        growth: channels that it adds.
        bottleneck: channels between the convolutions per channel of growth; 0: a 3x3 convolution alone.
        dropout: share of the new channels' values that are dropped in training.
    """

    def __init__(
        self, in_channels: int, growth: Annotated[int, Gt(0)], bottleneck: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.norm1, self.relu1 = nn.BatchNorm2d(in_channels), nn.ReLU()
        inner = bottleneck * growth
        self.conv1 = conv(in_channels, inner, 1) if inner else nn.Identity()
        self.norm2 = nn.BatchNorm2d(inner) if inner else nn.Identity()
        self.relu2 = nn.ReLU() if inner else nn.Identity()
        self.conv2 = conv(inner or in_channels, growth, 3)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch growth height width"]:
        """The new channels alone."""
        y = self.conv1(self.relu1(self.norm1(x)))
        return self.dropout(self.conv2(self.relu2(self.norm2(y))))


class DenseBlock(nn.Module):
    """`depth` dense layers in a row, each of which sees the input and all new channels so far.

    Layers are called `denselayer1` and so on, as in the public weights.
    """

    def __init__(
        self, in_channels: int, depth: int, growth: int, *, bottleneck: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        for i in range(depth):
            self.add_module(f"denselayer{i + 1}", DenseLayer(in_channels + i * growth, growth, bottleneck, dropout))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch more height width"]:
        """The input's channels and then those of every layer: channels + depth * growth."""
        maps = [x]
        for layer in self.children():
            maps.append(layer(torch.cat(maps, 1)))
        return torch.cat(maps, 1)


class Transition(nn.Module):
    """Between dense blocks: norm, ReLU, 1x1 convolution to fewer channels, 2x2 average pooling."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm, self.relu = nn.BatchNorm2d(in_channels), nn.ReLU()
        self.conv = conv(in_channels, out_channels, 1)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch fewer half_h half_w"]:
        """Heights and widths are halved, rounded down."""
        return self.pool(self.conv(self.relu(self.norm(x))))
