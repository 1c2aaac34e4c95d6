"""LeNet-5 (LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II.B).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| lenet5 | 1x32x32 | 10 | 61,706 | 416,520 |

    layer    C1      S2      C3       S4      C5     F6   output
    maps     6       6       16       16      120    84   classes
    size     28x28   14x14   10x10    5x5     1x1
    kernel   5x5     2x2     5x5      2x2     5x5

This is LeNet-5 as the field writes it today: ReLU, max pooling, every map of C3 sees every map of S2, and a linear
output. With `activation="scaled_tanh", pooling="trained", c3="table"` layers C1 to F6 are those of 1998 with their
60,000 trained parameters; the paper's output layer, distances to fixed 7x12 drawings of the characters, is a linear one
here because it knows only such characters. Pictures larger than 32x32 give several positions in C5, which are averaged.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, networks
from osler.nn.initialisation import he_initialise
from osler.nn.table_conv import TableConv2d
from osler.nn.trained_pooling import TrainedPool2d

# Table I of the paper, transposed: for each of C3's maps the maps of S2 that it sees.
TABLE_I = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3), which maps 1 to 1 and -1 to -1 (LeCun et al. 1998, appendix A)."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Element by element."""
        return 1.7159 * torch.tanh(x * (2 / 3))


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "scaled_tanh": ScaledTanh
}  # fmt: skip
GAINS = {"relu": math.sqrt(2.0), "tanh": 5 / 3, "sigmoid": 1.0, "scaled_tanh": 1.0}


@networks.register("lenet5")
class LeNet5(nn.Module):
    """Two convolutions with pooling, a third that covers the whole map, two linear layers.

    Args:
        num_classes: raw outputs.
        in_channels: 1 as in the paper, or 3.
        activation: after every layer but the last.
        pooling: of S2 and S4; `trained` is the paper's, with a coefficient and a bias a map.
        c3: `full`, or `table` for the paper's partial connections.
        padding: zeros around the picture; 2 for pictures of 28x28.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 1,
        activation: Literal["relu", "tanh", "sigmoid", "scaled_tanh"] = "relu",
        pooling: Literal["max", "average", "trained"] = "max",
        c3: Literal["full", "table"] = "full",
        padding: Literal[0, 2] = 0,
    ) -> None:
        super().__init__()
        act = ACTIVATIONS[activation]
        self.c1, self.act1, self.s2 = nn.Conv2d(in_channels, 6, 5, padding=padding), act(), _pool(pooling, 6)
        self.c3 = nn.Conv2d(6, 16, 5) if c3 == "full" else TableConv2d(6, TABLE_I, 5)
        self.act3, self.s4 = act(), _pool(pooling, 16)
        self.c5, self.act5 = nn.Conv2d(16, 120, 5), act()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.f6, self.act6 = nn.Linear(120, 84), act()
        self.output = nn.Linear(84, num_classes)
        he_initialise(self, gain=GAINS[activation])
        self.input_size = 32
        self.minimum_size = 32 - 2 * padding
        self.feature_maps = (FeatureMap("s2", 6, 2), FeatureMap("s4", 16, 4), FeatureMap("act5", 120, 4))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.s2(self.act1(self.c1(images)))
        x = self.s4(self.act3(self.c3(x)))
        x = self.average(self.act5(self.c5(x))).flatten(1)
        return self.output(self.act6(self.f6(x)))


def _pool(pooling: str, channels: int) -> nn.Module:
    if pooling == "trained":
        return TrainedPool2d(channels)
    return nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)
