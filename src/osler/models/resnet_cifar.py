"""ResNet and plain networks for CIFAR-10 (He, Zhang, Ren, Sun 2015, "Deep residual learning for image recognition",
arXiv 1512.03385, section 4.2).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| resnet20 | 3x32x32 | 10 | 269,722 | 40,551,040 |
| resnet32 | 3x32x32 | 10 | 464,154 | 68,862,592 |
| resnet44 | 3x32x32 | 10 | 658,586 | 97,174,144 |
| resnet56 | 3x32x32 | 10 | 853,018 | 125,485,696 |
| resnet110 | 3x32x32 | 10 | 1,727,962 | 252,887,680 |
| plain20 | 3x32x32 | 10 | 269,722 | 40,551,040 |
| plain32 | 3x32x32 | 10 | 464,154 | 68,862,592 |
| plain44 | 3x32x32 | 10 | 658,586 | 97,174,144 |
| plain56 | 3x32x32 | 10 | 853,018 | 125,485,696 |

6n + 2 layers with weights: a 3x3 convolution, three stages of n pairs of 3x3 convolutions with 16, 32 and 64 channels at
32x32, 16x16 and 8x8, and a linear layer (the paper's table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million parameters).
Shortcuts have no parameters (option A), unless `shortcut` is `projection` (option B). The plain networks are the same
without shortcuts; the deeper ones train worse than the shallow ones, which is what residual networks are for.
"""

from functools import partial
from typing import Annotated, Literal

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, networks, register_table
from osler.models.resnet import start_as_shortcuts
from osler.nn.convolution import conv
from osler.nn.initialisation import he_initialise
from osler.nn.residual import BasicBlock, PlainBlock, stage
from osler.nn.shortcut import pad_shortcut, projection_shortcut
from osler.nn.width import scaled
from osler.structures.errors import RecipeError

BLOCKS = {
    "pad": partial(stage, BasicBlock, shortcut=pad_shortcut),
    "projection": partial(stage, BasicBlock, shortcut=projection_shortcut),
    "none": partial(stage, PlainBlock),
}


class CifarResNet(nn.Module):
    """Three stages of basic blocks.

    Args:
        depth: blocks in each stage, the paper's n.
        num_classes: raw outputs.
        in_channels: of the pictures.
        shortcut: where the shape changes, `pad` with zeros (option A) or `projection` by a 1x1 convolution (option B);
            `none`: a plain network, without any shortcut.
        width: multiplies all channels.
        zero_init: the last norm of each block starts with weight 0, so that the block starts as its shortcut (Goyal et
            al. 2017).
    """

    def __init__(
        self,
        depth: int,
        num_classes: int,
        in_channels: int = 3,
        shortcut: Literal["pad", "projection", "none"] = "pad",
        width: Annotated[float, Gt(0)] = 1.0,
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        if zero_init and shortcut == "none":
            raise RecipeError(
                "A plain network cannot start with zero_init=true: without shortcuts nothing would come through its "
                "blocks. Leave zero_init out, or choose a network with shortcuts."
            )
        blocks = BLOCKS[shortcut]
        channels = [scaled(16 * 2**i, width) for i in range(3)]
        self.conv1 = conv(in_channels, channels[0], 3)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU()
        self.layer1 = blocks(channels[0], channels[0], depth=depth, stride=1)
        self.layer2 = blocks(channels[0], channels[1], depth=depth, stride=2)
        self.layer3 = blocks(channels[1], channels[2], depth=depth, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels[2], num_classes)
        he_initialise(self)
        if zero_init:
            start_as_shortcuts(self)
        self.input_size = 32
        self.minimum_size = 4
        self.feature_maps = tuple(FeatureMap(f"layer{i + 1}", channels[i], 2**i) for i in range(3))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))


DEPTHS = {20: 3, 32: 5, 44: 7, 56: 9}
register_table({f"resnet{layers}": (n,) for layers, n in (*DEPTHS.items(), (110, 18))}, CifarResNet)
for layers, n in DEPTHS.items():
    networks.register(f"plain{layers}")(partial(CifarResNet, n, shortcut="none"))
