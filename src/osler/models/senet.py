"""SENet (Hu, Shen, Albanie, Sun, Wu 2018, "Squeeze-and-excitation networks", arXiv 1709.01507).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| seresnet50 | 3x224x224 | 1000 | 28,088,024 | 4,091,699,200 |
| seresnet101 | 3x224x224 | 1000 | 49,326,872 | 7,806,148,608 |
| seresnet152 | 3x224x224 | 1000 | 66,821,848 | 11,520,204,800 |
| senet154 | 3x224x224 | 1000 | 115,088,984 | 20,688,363,520 |

A squeeze-and-excitation gate with a reduction of 16 before the addition of every residual block. SE-ResNets have their
stride in the 3x3 convolution as our ResNets do; with `stem="caffe"` and `stride_in="1x1"` they are as the authors
trained them. SENet-154 (appendix A) adds grouped 3x3 convolutions, wider and halved 1x1 ones, three 3x3 convolutions
for a stem, 3x3 projections from the second stage on, and dropout before the head.
"""

import math
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, networks, register_table
from osler.models.resnet import NETWORKS, ResNet
from osler.nn.convolution import conv
from osler.nn.initialisation import he_initialise
from osler.nn.squeeze_excitation import SqueezeExcitation
from osler.nn.width import scaled

REDUCTION = 16
GROUPS = 64


def squeeze(channels: int) -> SqueezeExcitation:
    """The gate of a residual block with so many channels."""
    return SqueezeExcitation(channels, max(1, channels // REDUCTION))


class SEResNet(ResNet):
    """A ResNet with a gate in each block; arguments as there."""

    attention = staticmethod(squeeze)


class SEBottleneck(nn.Module):
    """SENet-154's block: 1x1 to twice the width, grouped 3x3 to four times, 1x1, gate, addition.

    Args:
        in_channels: of the input.
        width: a quarter of the output's channels.
        stride: of the 3x3 convolution.
        groups: of the 3x3 convolution.
        projection: side of the shortcut's kernel where the shape changes.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, groups: int, projection: int) -> None:
        super().__init__()
        out_channels = 4 * width
        self.conv1, self.bn1, self.relu1 = conv(in_channels, 2 * width, 1), nn.BatchNorm2d(2 * width), nn.ReLU()
        self.conv2 = conv(2 * width, out_channels, 3, stride=stride, groups=groups)
        self.bn2, self.relu2 = nn.BatchNorm2d(out_channels), nn.ReLU()
        self.conv3, self.bn3 = conv(out_channels, out_channels, 1), nn.BatchNorm2d(out_channels)
        self.se = squeeze(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            shape = conv(in_channels, out_channels, projection, stride=stride), nn.BatchNorm2d(out_channels)
            self.downsample = nn.Sequential(*shape)
        self.relu3 = nn.ReLU()

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height2 width2"]:
        """Heights and widths become ceil(n / stride); channels four times the width."""
        y = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))
        return self.relu3(self.se(self.bn3(self.conv3(y))) + self.downsample(x))


@networks.register("senet154")
class SENet154(nn.Module):
    """SENet-154: 3, 8, 36 and 3 blocks.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `imagenet` (three 3x3, the first at stride 2, then pooling) or `small` (three 3x3 at stride 1).
        width: multiplies all channels; the 3x3 convolutions keep as many of their 64 groups as divide them.
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
        large, first = stem == "imagenet", scaled(64, width)
        self.conv1, self.bn1, self.relu1 = _norm_act(in_channels, first, 2 if large else 1)
        self.conv2, self.bn2, self.relu2 = _norm_act(first, first, 1)
        self.conv3, self.bn3, self.relu3 = _norm_act(first, 2 * first, 1)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True) if large else nn.Identity()
        groups = math.gcd(GROUPS, first)
        before = 2 * first
        for i, depth in enumerate((3, 8, 36, 3)):
            inner, projection = first * 2**i, 1 if i == 0 else 3
            blocks = []
            for j in range(depth):
                stride = 2 if i and not j else 1
                blocks.append(SEBottleneck(before, inner, stride=stride, groups=groups, projection=projection))
                before = 4 * inner
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.avgpool, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.fc = nn.Linear(before, num_classes)
        he_initialise(self)
        shrink = 4 if large else 1
        self.input_size = 224 if large else 32
        self.minimum_size = shrink * 8
        self.feature_maps = tuple(FeatureMap(f"layer{i + 1}", 4 * first * 2**i, shrink * 2**i) for i in range(4))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.relu1(self.bn1(self.conv1(images)))
        x = self.relu2(self.bn2(self.conv2(x)))
        x = self.pool(self.relu3(self.bn3(self.conv3(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)  # type: ignore[operator]
        return self.fc(self.dropout(self.avgpool(x).flatten(1)))


def _norm_act(in_channels: int, width: int, stride: int) -> tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
    return conv(in_channels, width, 3, stride=stride), nn.BatchNorm2d(width), nn.ReLU()


register_table({f"se{name}": NETWORKS[name] for name in ("resnet50", "resnet101", "resnet152")}, SEResNet)

LEGACY = ((r"^layer0\.", ""), (r"\.se_module\.", ".se."), (r"^last_linear\.", "fc."))
publish("timm", "seresnet50")
publish("timm", "legacy_seresnet50", "seresnet50", renames=LEGACY, stem="caffe", stride_in="1x1")
publish("timm", "legacy_senet154", "senet154", renames=LEGACY)
