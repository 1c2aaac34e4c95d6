"""MobileNetV3 (Howard et al. 2019, "Searching for MobileNetV3", arXiv 1905.02244, tables 1 and 2).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| mobilenet_v3_small | 3x224x224 | 1000 | 2,542,856 | 56,510,400 |
| mobilenet_v3_large | 3x224x224 | 1000 | 5,483,032 | 216,589,760 |

Found by platform-aware architecture search and NetAdapt, then changed by hand: h-swish in the deeper half, squeeze and
excitation with a quarter of the expanded channels and a hard sigmoid, fewer channels in the stem, and a last stage that
pools before its widest layer. Norms as in the public weights: eps 0.001, momentum 0.01.

`width` follows the authors' own code: a block expands its (rounded) input by the table's factor, and the first linear
layer is never narrower than at width 1. At 0.75 that gives what the paper's table 3 prints: 4.0 and 2.0 million
parameters, 155 and 44 million multiply-adds.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, NamedTuple

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, register_table
from osler.nn.convolution import conv_norm_act
from osler.nn.initialisation import he_initialise
from osler.nn.inverted_residual import InvertedResidual
from osler.nn.squeeze_excitation import SqueezeExcitation
from osler.nn.width import divisible, scaled

NORM = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


class Row(NamedTuple):
    """A line of the paper's table."""

    kernel: int
    inside: int
    out: int
    gate: bool
    hard: bool  # h-swish instead of ReLU
    stride: int


LARGE = (
    Row(3, 16, 16, False, False, 1),
    Row(3, 64, 24, False, False, 2),
    Row(3, 72, 24, False, False, 1),
    Row(5, 72, 40, True, False, 2),
    Row(5, 120, 40, True, False, 1),
    Row(5, 120, 40, True, False, 1),
    Row(3, 240, 80, False, True, 2),
    Row(3, 200, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 480, 112, True, True, 1),
    Row(3, 672, 112, True, True, 1),
    Row(5, 672, 160, True, True, 2),
    Row(5, 960, 160, True, True, 1),
    Row(5, 960, 160, True, True, 1),
)
SMALL = (
    Row(3, 16, 16, True, False, 2),
    Row(3, 72, 24, False, False, 2),
    Row(3, 88, 24, False, False, 1),
    Row(5, 96, 40, True, True, 2),
    Row(5, 240, 40, True, True, 1),
    Row(5, 240, 40, True, True, 1),
    Row(5, 120, 48, True, True, 1),
    Row(5, 144, 48, True, True, 1),
    Row(5, 288, 96, True, True, 2),
    Row(5, 576, 96, True, True, 1),
    Row(5, 576, 96, True, True, 1),
)


class MobileNetV3(nn.Module):
    """A stem, inverted residuals, a last 1x1 convolution, global average pooling, two linear layers.

    Args:
        rows: the blocks.
        last: channels of the first linear layer.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small` leaves the stem and the first stride at 1.
        width: multiplies all channels, but the last layer's only above 1.
        dropout: share of the features that are dropped before the head, in training.
    """

    def __init__(
        self,
        rows: tuple[Row, ...],
        last: int,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        width: Annotated[float, Gt(0)] = 1.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.2,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        channels, shrink, spared = scaled(16, width), 2 if large else 1, 0 if large else 1
        self.stem = conv_norm_act(in_channels, channels, 3, stride=shrink, norm=NORM, act=nn.Hardswish)
        blocks, maps, before = [], [], 16
        for i, row in enumerate(rows):
            stride = row.stride
            if stride == 2 and spared:
                stride, spared = 1, 0
            inside, out = divisible(channels * row.inside / before), scaled(row.out, width)
            blocks.append(_block(row, channels, inside, out, stride))
            channels, before, shrink = out, row.out, shrink * stride
            if i == len(rows) - 1 or rows[i + 1].stride == 2:
                maps.append(FeatureMap(f"blocks.{i}", channels, shrink))
        self.blocks = nn.Sequential(*blocks)
        self.last = conv_norm_act(channels, 6 * channels, 1, norm=NORM, act=nn.Hardswish)
        self.average = nn.AdaptiveAvgPool2d(1)
        features = scaled(last, max(1.0, width))
        self.hidden, self.act = nn.Linear(6 * channels, features), nn.Hardswish()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, num_classes)
        he_initialise(self)
        self.input_size = 224 if large else 32
        self.minimum_size = 1
        self.feature_maps = tuple(maps)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.average(self.last(self.blocks(self.stem(images)))).flatten(1)
        return self.head(self.dropout(self.act(self.hidden(x))))


def light_gate(channels: int) -> SqueezeExcitation:
    """The paper's gate (section 5.3): a quarter of the expanded channels, a hard sigmoid."""
    return SqueezeExcitation(channels, divisible(channels // 4), gate=nn.Hardsigmoid)


def _block(row: Row, in_channels: int, inside: int, out: int, stride: int) -> InvertedResidual:
    act: Callable[[], nn.Module] = nn.Hardswish if row.hard else nn.ReLU
    return InvertedResidual(
        in_channels,
        inside,
        out,
        kernel=row.kernel,
        stride=stride,
        norm=NORM,
        act=act,
        attention=light_gate if row.gate else None,
    )


register_table({"mobilenet_v3_small": (SMALL, 1024), "mobilenet_v3_large": (LARGE, 1280)}, MobileNetV3)


def _renames(rows: tuple[Row, ...]) -> list[tuple[str, str]]:
    """torchvision numbers the layers of a block, whichever it has."""
    parts = {0: "conv", 1: "norm"}
    rules = [(rf"^features\.0\.{n}\.", f"stem.{part}.") for n, part in parts.items()]
    rules += [(rf"^features\.{len(rows) + 1}\.{n}\.", f"last.{part}.") for n, part in parts.items()]
    before = 16
    for i, row in enumerate(rows):
        layers = ["expand"] if row.inside != before else []
        layers += ["depthwise", *(["attention"] if row.gate else []), "project"]
        for k, layer in enumerate(layers):
            theirs, ours = rf"^features\.{i + 1}\.block\.{k}\.", f"blocks.{i}.layers.{layer}."
            if layer == "attention":
                rules.append((theirs, ours))
            else:
                rules += [(rf"{theirs}{n}\.", f"{ours}{part}.") for n, part in parts.items()]
        before = row.out
    return [*rules, (r"^classifier\.0\.", "hidden."), (r"^classifier\.3\.", "head.")]


publish("torchvision", "mobilenet_v3_small", renames=_renames(SMALL))
publish("torchvision", "mobilenet_v3_large", renames=_renames(LARGE))
