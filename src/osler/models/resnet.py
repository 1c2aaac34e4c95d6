"""ResNet for ImageNet (He et al. 2015, "Deep residual learning for image recognition", arXiv 1512.03385, table 1).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| resnet18 | 3x224x224 | 1000 | 11,689,512 | 1,814,073,344 |
| resnet34 | 3x224x224 | 1000 | 21,797,672 | 3,663,761,408 |
| resnet50 | 3x224x224 | 1000 | 25,557,032 | 4,089,184,256 |
| resnet101 | 3x224x224 | 1000 | 44,549,160 | 7,801,405,440 |
| resnet152 | 3x224x224 | 1000 | 60,192,808 | 11,513,626,624 |

Shortcuts are projections where the shape changes (option B). Bottlenecks have their stride in the 3x3 convolution
(v1.5). Submodules bear the names under which the field's public weights are stored. The `small` stem, one 3x3
convolution at stride 1 without pooling, keeps the resolution of pictures up to about 64 pixels; the `caffe` one pools
without padding, rounding up, as the networks that were trained in Caffe.
"""

from typing import Annotated, Literal

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, register_table
from osler.nn.convolution import conv
from osler.nn.initialisation import he_initialise
from osler.nn.residual import Attention, BasicBlock, Bottleneck, StrideIn, stage
from osler.nn.width import scaled

WIDTHS = (64, 128, 256, 512)
Stem = Literal["imagenet", "small", "caffe"]
Depths = tuple[int, int, int, int]


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, global average pooling, one linear layer.

    Args:
        block: kind of residual block.
        depths: blocks in each of the four stages.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `imagenet` (7x7 at stride 2, then 3x3 maximum pooling at stride 2), `small` (3x3 at stride 1) or `caffe`.
        width: multiplies all channels.
        stride_in: which convolution of a bottleneck has the stride.
        zero_init: the last norm of each block starts with weight 0, so that the block starts as its shortcut (Goyal et
            al. 2017).
    """

    attention: Attention | None = None  # of each block, before the addition

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Depths,
        num_classes: int,
        in_channels: int = 3,
        stem: Stem = "imagenet",
        width: Annotated[float, Gt(0)] = 1.0,
        stride_in: StrideIn = "3x3",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        large, first = stem != "small", scaled(64, width)
        self.conv1 = conv(in_channels, first, 7, stride=2) if large else conv(in_channels, first, 3)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU()
        self.maxpool = _pool(stem)
        options = {"attention": self.attention}
        if block is Bottleneck:
            options["stride_in"] = stride_in  # type: ignore[assignment]
        inner = [scaled(w, width) for w in WIDTHS]
        outs = [w * block.expansion for w in inner]
        self.layer1 = stage(block, first, inner[0], depth=depths[0], stride=1, **options)
        self.layer2 = stage(block, outs[0], inner[1], depth=depths[1], stride=2, **options)
        self.layer3 = stage(block, outs[1], inner[2], depth=depths[2], stride=2, **options)
        self.layer4 = stage(block, outs[2], inner[3], depth=depths[3], stride=2, **options)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(outs[3], num_classes)
        he_initialise(self)
        if zero_init:
            start_as_shortcuts(self)
        shrink = 4 if large else 1
        self.input_size = 224 if large else 32
        self.minimum_size = shrink * 8
        self.feature_maps = tuple(FeatureMap(f"layer{i + 1}", outs[i], shrink * 2**i) for i in range(4))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer2(self.layer1(x))
        x = self.layer4(self.layer3(x))
        return self.fc(self.avgpool(x).flatten(1))


def _pool(stem: Stem) -> nn.Module:
    if stem == "caffe":
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)
    return nn.MaxPool2d(3, stride=2, padding=1) if stem == "imagenet" else nn.Identity()


def start_as_shortcuts(model: nn.Module) -> None:
    """Set the last norm of every residual block to weight 0."""
    for module in model.modules():
        if isinstance(module, (BasicBlock, Bottleneck)):
            nn.init.zeros_(module.last_norm.weight)


NETWORKS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], Depths]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}
register_table(NETWORKS, ResNet)
for name in NETWORKS:
    publish("torchvision", name)
