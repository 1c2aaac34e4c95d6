"""Fully connected networks (LeCun et al. 1998, "Gradient-based learning applied to document recognition", section III.C.4).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| mlp | 1x28x28 | 10 | 266,610 | 266,200 |

The picture as a row of numbers, hidden layers, a linear output: 784-300-100-10 by default, with ReLU as the field
writes it today (`activation="tanh"` is nearer to 1998). A picture of another size is brought to `side` x `side` by the
mean of the pixels that fall on each place; one of that size is seen as it is.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt, MinLen
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, networks
from osler.nn.initialisation import he_initialise

Activation = Literal["relu", "tanh", "sigmoid"]
Units = Annotated[int, Gt(0)]
Widths = Annotated[tuple[Units, ...], MinLen(1)]

ACTIVATIONS: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
GAINS: dict[Activation, float] = {"relu": math.sqrt(2.0), "tanh": 5 / 3, "sigmoid": 1.0}


@networks.register("mlp")
class MLP(nn.Module):
    """Hidden layers that see every pixel of the picture.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        widths: units of each hidden layer.
        activation: after each hidden layer.
        dropout: share of a hidden layer's units that are dropped in training.
        side: pixels of the square that the first layer sees.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        widths: Widths = (300, 100),
        activation: Activation = "relu",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        side: Units = 28,
    ) -> None:
        super().__init__()
        self.pixels = nn.Identity()
        self.shrink = nn.AdaptiveAvgPool2d(side)
        sizes = (in_channels * side * side, *widths)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.acts = nn.ModuleList(ACTIVATIONS[activation]() for _ in widths)
        self.drops = nn.ModuleList(nn.Dropout(dropout) for _ in widths)
        self.head = nn.Linear(widths[-1], num_classes)
        he_initialise(self, gain=GAINS[activation])
        self.input_size = side
        self.minimum_size = 1
        self.feature_maps = (FeatureMap("pixels", in_channels, 1),)  # there is no map behind a fully connected layer

    @property
    def layers(self) -> list[nn.Linear]:
        """The hidden linear layers."""
        return [layer for layer in self.hidden if isinstance(layer, nn.Linear)]

    def rows(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch inputs"]:
        """What the first layer sees of standardised pictures."""
        return self.shrink(self.pixels(images)).flatten(1)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.rows(images)
        for layer, act, drop in zip(self.hidden, self.acts, self.drops, strict=True):
            x = drop(act(layer(x)))
        return self.head(x)
