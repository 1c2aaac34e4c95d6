"""MnasNet (Tan et al. 2019, "MnasNet: platform-aware neural architecture search for mobile", arXiv 1807.11626, figure 7).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| mnasnet_a1 | 3x224x224 | 1000 | 3,887,038 | 311,579,072 |
| mnasnet_b1 | 3x224x224 | 1000 | 4,383,312 | 314,415,872 |

Found by a search that rewards accuracy and speed on a telephone together (see `mnas_reward`), stage by stage over blocks,
kernels, depths, widths and squeeze-and-excitation. A1 is the paper's (table 1: 3.9 million parameters, 312 million
multiply-adds); B1, found without squeeze-and-excitation, is the one that torchvision publishes as mnasnet1_0.
`width` multiplies all channels but the last 1280. Gates have a quarter of a block's input channels in between, which is
what makes A1's parameters those of the paper; timm publishes A1 as semnasnet_100. Norms have momentum 0.01 (section 5;
the paper counts the other share, 0.99).
"""

import re
from functools import partial
from typing import Annotated, Literal, NamedTuple

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, register_table
from osler.nn.convolution import conv_norm_act
from osler.nn.depthwise_separable import depthwise_separable
from osler.nn.initialisation import he_initialise
from osler.nn.inverted_residual import InvertedResidual
from osler.nn.squeeze_excitation import SqueezeExcitation
from osler.nn.width import scaled

NORM = partial(nn.BatchNorm2d, momentum=0.01)
FEATURES = 1280


class Stage(NamedTuple):
    """Blocks of one kind; the first has the stride."""

    kernel: int
    expansion: int
    out: int
    depth: int
    stride: int
    gate: bool = False


A1 = (
    Stage(3, 6, 24, 2, 2),
    Stage(5, 3, 40, 3, 2, gate=True),
    Stage(3, 6, 80, 4, 2),
    Stage(3, 6, 112, 2, 1, gate=True),
    Stage(5, 6, 160, 3, 2, gate=True),
    Stage(3, 6, 320, 1, 1),
)
B1 = (
    Stage(3, 3, 24, 3, 2),
    Stage(5, 3, 40, 3, 2),
    Stage(5, 6, 80, 3, 2),
    Stage(3, 6, 96, 2, 1),
    Stage(5, 6, 192, 4, 2),
    Stage(3, 6, 320, 1, 1),
)


class MnasNet(nn.Module):
    """A stem, a depthwise-separable convolution, six stages of inverted residuals, a 1x1 convolution, one linear layer.

    Args:
        stages: kinds of blocks.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small` leaves the stem and the first stage at stride 1.
        width: multiplies all channels but the last 1280.
        dropout: share of the features that are dropped before the head, in training.
    """

    def __init__(
        self,
        stages: tuple[Stage, ...],
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        width: Annotated[float, Gt(0)] = 1.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.2,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        first, channels, shrink = scaled(32, width), scaled(16, width), 2 if large else 1
        self.stem = conv_norm_act(in_channels, first, 3, stride=shrink, norm=NORM)
        self.separable = depthwise_separable(first, channels, norm=NORM, linear=True)
        parts, maps = [], [FeatureMap("separable", channels, shrink)]
        for i, plan in enumerate(stages):
            stride, out = (plan.stride if large or i > 0 else 1), scaled(plan.out, width)
            parts.append(_stage(plan, channels, out, stride))
            channels, shrink = out, shrink * stride
            maps.append(FeatureMap(f"stages.{i}", channels, shrink))
        self.stages = nn.Sequential(*parts)
        self.last = conv_norm_act(channels, FEATURES, 1, norm=NORM)
        self.average, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.head = nn.Linear(FEATURES, num_classes)
        he_initialise(self)
        self.input_size = 224 if large else 32
        self.minimum_size = 1
        self.feature_maps = tuple(maps)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.last(self.stages(self.separable(self.stem(images))))
        return self.head(self.dropout(self.average(x).flatten(1)))


def _stage(plan: Stage, channels: int, out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        _block(plan, channels, out, stride), *(_block(plan, out, out, 1) for _ in range(plan.depth - 1))
    )


def _block(plan: Stage, channels: int, out: int, stride: int) -> InvertedResidual:
    return InvertedResidual(
        channels,
        plan.expansion * channels,
        out,
        kernel=plan.kernel,
        stride=stride,
        norm=NORM,
        act=nn.ReLU,
        attention=partial(SqueezeExcitation, hidden=channels // 4) if plan.gate else None,
    )


register_table({"mnasnet_a1": (A1,), "mnasnet_b1": (B1,)}, MnasNet)


PARTS = {0: "conv", 1: "norm"}


def _torchvision() -> list[tuple[str, str]]:
    """torchvision numbers every layer, activations too."""
    ends = {0: "stem", 3: "separable.depthwise", 6: "separable.pointwise", 14: "last"}
    rules = [
        (rf"^layers\.{n + k}\.(\w+)$", rf"{ours}.{part}.\1") for n, ours in ends.items() for k, part in PARTS.items()
    ]
    for n, ours in {0: "expand", 3: "depthwise", 6: "project"}.items():
        for k, part in PARTS.items():
            theirs = rf"^layers\.{{}}\.(\d+)\.layers\.{n + k}\."
            rules += [(theirs.format(8 + i), rf"stages.{i}.\1.layers.{ours}.{part}.") for i in range(len(B1))]
    return [*rules, (r"^classifier\.1\.", "head.")]


def _timm() -> list[tuple[str, str]]:
    """timm names the layers; the depthwise-separable block is its first stage."""
    rules = [(r"^conv_stem\.", "stem.conv."), (r"^bn1\.", "stem.norm."), (r"^conv_head\.", "last.conv.")]
    rules += [(r"^bn2\.", "last.norm."), (r"^classifier\.", "head.")]
    layers = {
        "conv_dw": "depthwise.conv",
        "bn1": "depthwise.norm",
        "conv_pw": "pointwise.conv",
        "bn2": "pointwise.norm",
    }
    rules += [(rf"^blocks\.0\.0\.{theirs}\.", f"separable.{ours}.") for theirs, ours in layers.items()]
    layers = {"conv_pw": "expand.conv", "bn1": "expand.norm", "conv_dw": "depthwise.conv", "bn2": "depthwise.norm"}
    layers |= {"se.conv_reduce": "attention.fc1", "se.conv_expand": "attention.fc2", "conv_pwl": "project.conv"}
    layers |= {"bn3": "project.norm"}
    for i in range(len(A1)):
        theirs, ours = rf"^blocks\.{i + 1}\.(\d+)\.", rf"stages.{i}.\1.layers."
        rules += [(rf"{theirs}{re.escape(t)}\.", f"{ours}{o}.") for t, o in layers.items()]
    return rules


publish("torchvision", "mnasnet1_0", "mnasnet_b1", renames=_torchvision())
publish("timm", "semnasnet_100", "mnasnet_a1", renames=_timm())
