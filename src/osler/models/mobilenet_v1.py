"""MobileNet (Howard et al. 2017, "MobileNets: efficient convolutional neural networks", arXiv 1704.04861, table 1).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| mobilenet_v1 | 3x224x224 | 1000 | 4,231,976 | 568,740,352 |

A 3x3 convolution and thirteen depthwise-separable ones. The paper's width multiplier is `width` (1, 0.75, 0.5 and 0.25:
4.2, 2.6, 1.3 and 0.5 million parameters), its resolution multiplier the size of the pictures.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, networks
from osler.nn.convolution import conv_norm_act
from osler.nn.depthwise_separable import depthwise_separable
from osler.nn.initialisation import he_initialise
from osler.nn.width import scaled

# Output channels and stride of each depthwise-separable convolution, in stages that end before each stride of two.
STAGES = (
    ((64, 1),),
    ((128, 2), (128, 1)),
    ((256, 2), (256, 1)),
    ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    ((1024, 2), (1024, 1)),
)


@networks.register("mobilenet_v1")
class MobileNetV1(nn.Module):
    """A stem, five stages of depthwise-separable convolutions, global average pooling, one linear layer.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small` leaves the stem and the second stage at stride 1.
        width: multiplies all channels.
        dropout: share of the features that are dropped before the head, in training.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        width: Annotated[float, Gt(0)] = 1.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.001,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        channels, shrink, maps = scaled(32, width), 2 if large else 1, []
        self.stem = conv_norm_act(in_channels, channels, 3, stride=shrink)
        stages = []
        for i, plan in enumerate(STAGES):
            blocks = []
            for out, published in plan:
                stride = published if large or i != 1 else 1
                blocks.append(depthwise_separable(channels, scaled(out, width), stride=stride))
                channels, shrink = scaled(out, width), shrink * stride
            stages.append(nn.Sequential(*blocks))
            maps.append(FeatureMap(f"stages.{i}", channels, shrink))
        self.stages = nn.Sequential(*stages)
        self.average, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.head = nn.Linear(channels, num_classes)
        he_initialise(self)
        self.input_size = 224 if large else 32
        self.minimum_size = 1
        self.feature_maps = tuple(maps)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.stages(self.stem(images))
        return self.head(self.dropout(self.average(x).flatten(1)))


publish(
    "timm",
    "mobilenetv1_100",
    "mobilenet_v1",
    renames=(
        (r"^conv_stem\.", "stem.conv."),
        (r"^bn1\.", "stem.norm."),
        (r"^blocks\.(\d+)\.(\d+)\.conv_dw\.", r"stages.\1.\2.depthwise.conv."),
        (r"^blocks\.(\d+)\.(\d+)\.bn1\.", r"stages.\1.\2.depthwise.norm."),
        (r"^blocks\.(\d+)\.(\d+)\.conv_pw\.", r"stages.\1.\2.pointwise.conv."),
        (r"^blocks\.(\d+)\.(\d+)\.bn2\.", r"stages.\1.\2.pointwise.norm."),
        (r"^classifier\.", "head."),
    ),
)
