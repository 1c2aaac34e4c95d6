"""BN-Inception, Inception v2 (Ioffe and Szegedy 2015, "Batch normalization", arXiv 1502.03167, figure 5).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| bn_inception | 3x224x224 | 1000 | 11,194,984 | 2,018,851,840 |

Inception with batch norm behind every convolution and each 5x5 replaced by two 3x3; blocks 3c and 4e halve the size in
place of a pooling. The paper's first convolution is a depthwise-separable one with eight maps a colour; ours is plain, as
in the public Caffe model.
"""

from typing import Annotated, Literal

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, networks
from osler.nn.inception import C, sequence, unit, v2, v2_reduction
from osler.nn.initialisation import he_initialise
from osler.nn.width import scaled

# 1x1; 3x3 reduced, 3x3; double 3x3 reduced, double 3x3; behind pooling: the rows of figure 5.
BLOCKS_3 = (v2(64, (64, 64), (64, 96), 32), v2(64, (64, 96), (64, 96), 64))
BLOCKS_4 = (
    v2_reduction((128, 160), (64, 96)),
    v2(224, (64, 96), (96, 128), 128),
    v2(192, (96, 128), (96, 128), 128),
    v2(160, (128, 160), (128, 160), 96),
    v2(96, (128, 192), (160, 192), 96),
)
BLOCKS_5 = (
    v2_reduction((128, 192), (192, 256)),
    v2(352, (192, 320), (160, 224), 128),
    v2(352, (192, 320), (192, 224), 128, "max"),
)


@networks.register("bn_inception")
class BNInception(nn.Module):
    """A stem, three stages of Inception blocks, global average pooling, one linear layer.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small`: a 3x3 first convolution at stride 1, and no pooling before the blocks.
        width: multiplies all channels.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        width: Annotated[float, Gt(0)] = 1.0,
    ) -> None:
        super().__init__()
        large, first, second = stem == "imagenet", scaled(64, width), scaled(192, width)
        self.conv1 = unit(in_channels, C(first, 7, 2) if large else C(first, 3))
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True) if large else nn.Identity()
        self.conv2, self.conv3 = unit(first, C(first)), unit(first, C(second, 3))
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True) if large else nn.Identity()
        self.inception3, channels3 = sequence(second, BLOCKS_3, "batch", width)
        self.inception4, channels4 = sequence(channels3, BLOCKS_4, "batch", width)
        self.inception5, channels5 = sequence(channels4, BLOCKS_5, "batch", width)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels5, num_classes)
        he_initialise(self)
        shrink = 8 if large else 1
        self.input_size = 224 if large else 32
        self.minimum_size = 7 if large else 1
        self.feature_maps = (
            FeatureMap("inception3", channels3, shrink),
            FeatureMap("inception4", channels4, 2 * shrink),
            FeatureMap("inception5", channels5, 4 * shrink),
        )

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.conv3(self.conv2(self.pool1(self.conv1(images))))
        x = self.inception5(self.inception4(self.inception3(self.pool2(x))))
        return self.fc(self.average(x).flatten(1))
