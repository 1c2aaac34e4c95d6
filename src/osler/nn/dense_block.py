"""Dense blocks: every layer sees the outputs of all layers before it (Huang, Liu, van der Maaten, Weinberger 2017)."""

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv

BOTTLENECK = 4  # channels between a layer's convolutions per channel that it adds (section 3)


class DenseLayer(nn.Sequential):
    """Maps of `in_channels` to `growth` new ones.

    With a bottleneck: norm, ReLU, 1x1 convolution to four times the growth, norm, ReLU, 3x3 convolution. Without: norm,
    ReLU, 3x3 convolution (section 3, "Composite function" and "Bottleneck layers").

    Args:
        in_channels: of all maps before it together.
        growth: channels that it adds.
        bottleneck: whether there is a 1x1 convolution before the 3x3 one.
        dropout: share of the values behind each convolution that are dropped in training (section 4.2).
    """

    def __init__(self, in_channels: int, growth: int, *, bottleneck: bool = True, dropout: float = 0.0) -> None:
        inner = BOTTLENECK * growth
        sizes = [(in_channels, inner, 1), (inner, growth, 3)] if bottleneck else [(in_channels, growth, 3)]
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for i, (inputs, outputs, kernel) in enumerate(sizes, start=1):
            parts |= {f"norm{i}": nn.BatchNorm2d(inputs), f"relu{i}": nn.ReLU()}
            parts[f"conv{i}"] = conv(inputs, outputs, kernel)
            parts |= {f"dropout{i}": nn.Dropout(dropout)} if dropout else {}
        super().__init__(parts)


class DenseBlock(nn.Module):
    """`depth` dense layers in a row, each of which sees the block's input and all channels that were added so far.

    Layers are called `denselayer1` and so on, as in the public weights. Options as of `DenseLayer`.
    """

    def __init__(
        self, in_channels: int, depth: int, growth: int, *, bottleneck: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        for i in range(depth):
            layer = DenseLayer(in_channels + i * growth, growth, bottleneck=bottleneck, dropout=dropout)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch more height width"]:
        """The input's channels and behind them those of every layer: channels + depth * growth."""
        for layer in self.children():
            x = torch.cat((x, layer(x)), 1)
        return x


class Transition(nn.Sequential):
    """Between dense blocks: norm, ReLU, 1x1 convolution to `out_channels`, 2x2 average pooling (section 3).

    Heights and widths are halved, rounded down. `dropout` as of `DenseLayer`.
    """

    def __init__(self, in_channels: int, out_channels: int, *, dropout: float = 0.0) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(norm=nn.BatchNorm2d(in_channels), relu=nn.ReLU())
        parts["conv"] = conv(in_channels, out_channels, 1)
        parts |= {"dropout": nn.Dropout(dropout)} if dropout else {}
        parts["pool"] = nn.AvgPool2d(2)
        super().__init__(parts)
