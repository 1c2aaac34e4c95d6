"""ResNet for CIFAR-10 (He, Zhang, Ren, Sun 2015, "Deep residual learning for image recognition", arXiv 1512.03385,
section 4.2).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| resnet20 | 3x32x32 | 10 | 269,722 | 40,551,040 |
| resnet32 | 3x32x32 | 10 | 464,154 | 68,862,592 |
| resnet44 | 3x32x32 | 10 | 658,586 | 97,174,144 |
| resnet56 | 3x32x32 | 10 | 853,018 | 125,485,696 |

6n + 2 layers with weights: a 3x3 convolution, three stages of n basic blocks with 16, 32 and 64 channels at 32x32,
16x16 and 8x8, and a linear layer (the paper's table 6: 0.27, 0.46, 0.66 and 0.85 million parameters). Shortcuts have no
parameters (option A).
"""

from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, register_table
from osler.models.resnet import start_as_shortcuts
from osler.nn.convolution import conv
from osler.nn.initialisation import he_initialise
from osler.nn.residual import BasicBlock, stage
from osler.nn.shortcut import pad_shortcut


class CifarResNet(nn.Module):
    """Three stages of basic blocks with shortcuts that have no parameters.

    Args:
        depth: blocks in each stage, the paper's n.
        num_classes: raw outputs.
        in_channels: of the pictures.
        zero_init: the last norm of each block starts with weight 0, so that the block starts as its shortcut (Goyal et
            al. 2017).
    """

    def __init__(self, depth: int, num_classes: int, in_channels: int = 3, zero_init: bool = False) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, 16, 3)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = stage(BasicBlock, 16, 16, depth=depth, stride=1, shortcut=pad_shortcut)
        self.layer2 = stage(BasicBlock, 16, 32, depth=depth, stride=2, shortcut=pad_shortcut)
        self.layer3 = stage(BasicBlock, 32, 64, depth=depth, stride=2, shortcut=pad_shortcut)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        he_initialise(self)
        if zero_init:
            start_as_shortcuts(self)
        self.input_size = 32
        self.minimum_size = 4
        self.feature_maps = tuple(FeatureMap(f"layer{i + 1}", 16 * 2**i, 2**i) for i in range(3))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))


register_table({"resnet20": (3,), "resnet32": (5,), "resnet44": (7,), "resnet56": (9,)}, CifarResNet)
