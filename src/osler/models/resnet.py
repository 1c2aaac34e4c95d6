"""ResNet for ImageNet (He et al. 2015, "Deep residual learning for image recognition", arXiv 1512.03385, table 1).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| resnet18 | 3x224x224 | 1000 | 11,689,512 | 1,814,073,344 |
| resnet34 | 3x224x224 | 1000 | 21,797,672 | 3,663,761,408 |
| resnet50 | 3x224x224 | 1000 | 25,557,032 | 4,089,184,256 |

Shortcuts are projections where the shape changes (option B). Bottlenecks have their stride in the 3x3 convolution
(v1.5). Submodules bear the names under which the field's public weights are stored. The `small` stem, one 3x3
convolution at stride 1 without pooling, keeps the resolution of pictures up to about 64 pixels.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, register_table
from osler.nn.convolution import conv
from osler.nn.initialisation import he_initialise
from osler.nn.residual import BasicBlock, Bottleneck, stage

WIDTHS = (64, 128, 256, 512)


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, global average pooling, one linear layer.

    Args:
        block: kind of residual block.
        depths: blocks in each of the four stages.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `imagenet` (7x7 at stride 2, then 3x3 maximum pooling at stride 2) or `small` (3x3 at stride 1).
        zero_init: the last norm of each block starts with weight 0, so that the block starts as its shortcut (Goyal et
            al. 2017).
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        self.conv1 = conv(in_channels, 64, 7, stride=2) if large else conv(in_channels, 64, 3)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        outs = [w * block.expansion for w in WIDTHS]
        self.layer1 = stage(block, 64, WIDTHS[0], depth=depths[0], stride=1)
        self.layer2 = stage(block, outs[0], WIDTHS[1], depth=depths[1], stride=2)
        self.layer3 = stage(block, outs[1], WIDTHS[2], depth=depths[2], stride=2)
        self.layer4 = stage(block, outs[2], WIDTHS[3], depth=depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(outs[3], num_classes)
        he_initialise(self)
        if zero_init:
            start_as_shortcuts(self)
        first = 4 if large else 1
        self.input_size = 224 if large else 32
        self.minimum_size = first * 8
        self.feature_maps = tuple(FeatureMap(f"layer{i + 1}", outs[i], first * 2**i) for i in range(4))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer2(self.layer1(x))
        x = self.layer4(self.layer3(x))
        return self.fc(self.avgpool(x).flatten(1))


def start_as_shortcuts(model: nn.Module) -> None:
    """Set the last norm of every residual block to weight 0."""
    for module in model.modules():
        if isinstance(module, (BasicBlock, Bottleneck)):
            nn.init.zeros_(module.last_norm.weight)


register_table(
    {
        "resnet18": (BasicBlock, (2, 2, 2, 2)),
        "resnet34": (BasicBlock, (3, 4, 6, 3)),
        "resnet50": (Bottleneck, (3, 4, 6, 3)),
    },
    ResNet,
)
for name in ("resnet18", "resnet34", "resnet50"):
    publish("torchvision", name)
