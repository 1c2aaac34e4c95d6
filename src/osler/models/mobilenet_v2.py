"""MobileNetV2 (Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks", arXiv 1801.04381).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| mobilenet_v2 | 3x224x224 | 1000 | 3,504,872 | 300,774,272 |

Table 2 of the paper: a 3x3 convolution, seventeen inverted residuals, a 1x1 convolution to 1280 channels. `width`
multiplies all channels, but the last 1280 only above 1 (section 6.1). Parameters without those of norms are at 1.4, 1.3,
1, 0.75, 0.5 and 0.35 as the authors list them beside their weights: 6.06, 5.34, 3.47, 2.61, 1.95 and 1.66 million (the
paper's table 4 prints 6.9 for 1.4).
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, networks
from osler.nn.convolution import conv_norm_act
from osler.nn.initialisation import he_initialise
from osler.nn.inverted_residual import InvertedResidual
from osler.nn.width import scaled

# Expansion, channels, blocks, stride of the first: rows of table 2.
TABLE_2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@networks.register("mobilenet_v2")
class MobileNetV2(nn.Module):
    """A stem, seven stages of inverted residuals, a last 1x1 convolution, global average pooling, one linear layer.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small` leaves the stem and the second stage at stride 1.
        width: multiplies all channels, but the last 1280 only above 1.
        dropout: share of the features that are dropped before the head, in training.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        width: Annotated[float, Gt(0)] = 1.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.2,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        channels, shrink, maps = scaled(32, width), 2 if large else 1, []
        self.stem = conv_norm_act(in_channels, channels, 3, stride=shrink, act=nn.ReLU6)
        stages = []
        for i, (expansion, out, depth, published) in enumerate(TABLE_2):
            stride, width_out = (published if large or i != 1 else 1), scaled(out, width)
            first = InvertedResidual(channels, expansion * channels, width_out, stride=stride)
            others = (InvertedResidual(width_out, expansion * width_out, width_out) for _ in range(depth - 1))
            stages.append(nn.Sequential(first, *others))
            channels, shrink = width_out, shrink * stride
            maps.append(FeatureMap(f"stages.{i}", channels, shrink))
        self.stages = nn.Sequential(*stages)
        features = scaled(1280, max(1.0, width))
        self.last = conv_norm_act(channels, features, 1, act=nn.ReLU6)
        self.average, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.head = nn.Linear(features, num_classes)
        he_initialise(self)
        self.input_size = 224 if large else 32
        self.minimum_size = 1
        self.feature_maps = tuple(maps)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.last(self.stages(self.stem(images)))
        return self.head(self.dropout(self.average(x).flatten(1)))


def _renames() -> list[tuple[str, str]]:
    """torchvision counts blocks through; its first block has no expansion."""
    parts = {0: "conv", 1: "norm"}
    rules = [(rf"^features\.0\.{i}\.", f"stem.{part}.") for i, part in parts.items()]
    rules += [(rf"^features\.18\.{i}\.", f"last.{part}.") for i, part in parts.items()]
    number = 1
    for i, (expansion, _, depth, _) in enumerate(TABLE_2):
        for j in range(depth):
            theirs, ours = rf"^features\.{number}\.conv\.", f"stages.{i}.{j}.layers."
            layers = ["expand", "depthwise"] if expansion > 1 else ["depthwise"]
            for k, layer in enumerate(layers):
                rules += [(rf"{theirs}{k}\.{n}\.", f"{ours}{layer}.{part}.") for n, part in parts.items()]
            rules += [(rf"{theirs}{len(layers) + n}\.", f"{ours}project.{part}.") for n, part in parts.items()]
            number += 1
    return [*rules, (r"^classifier\.1\.", "head.")]


publish("torchvision", "mobilenet_v2", renames=_renames())
