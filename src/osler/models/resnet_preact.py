"""Pre-activation ResNet (He et al. 2016, "Identity mappings in deep residual networks", arXiv 1603.05027).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| resnet18_preact | 3x224x224 | 1000 | 11,687,720 | 1,814,073,344 |
| resnet34_preact | 3x224x224 | 1000 | 21,795,880 | 3,663,761,408 |
| resnet50_preact | 3x224x224 | 1000 | 25,549,352 | 4,089,184,256 |
| resnet101_preact | 3x224x224 | 1000 | 44,541,480 | 7,801,405,440 |
| resnet152_preact | 3x224x224 | 1000 | 60,185,128 | 11,513,626,624 |
| resnet110_preact | 3x32x32 | 10 | 1,730,522 | 253,149,824 |
| resnet164_preact | 3x32x32 | 10 | 1,703,258 | 247,646,720 |

Norm and activation stand before each convolution, and the shortcut is a bare identity from end to end, closed by one
norm and activation; the first ones stand before the two paths part (appendix). `resnet110_preact` and `resnet164_preact`
are the paper's for CIFAR-10 (1.7 million parameters each): three stages of 18 blocks with 16, 32 and 64 channels
inside. Where the shape changes, the shortcut is a 1x1 convolution.
"""

from typing import Annotated, Literal

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, register_table
from osler.nn.convolution import conv
from osler.nn.initialisation import he_initialise
from osler.nn.residual import PreActBasicBlock, PreActBottleneck, stage
from osler.nn.width import scaled


class PreActResNet(nn.Module):
    """A stem, stages of pre-activation blocks, a last norm, global average pooling, one linear layer.

    Args:
        block: kind of residual block.
        depths: blocks in each stage.
        widths: channels inside the blocks of each stage.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `imagenet` (7x7 at stride 2, then 3x3 maximum pooling at stride 2) or `small` (3x3 at stride 1); `auto`:
            small for the network of CIFAR.
        width: multiplies all channels.
    """

    def __init__(
        self,
        block: type[PreActBasicBlock] | type[PreActBottleneck],
        depths: tuple[int, ...],
        widths: tuple[int, ...],
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["auto", "imagenet", "small"] = "auto",
        width: Annotated[float, Gt(0)] = 1.0,
    ) -> None:
        super().__init__()
        large = stem == "imagenet" or (stem == "auto" and len(depths) == 4)
        inner = [scaled(w, width) for w in widths]
        outs = [inner[0], *(w * block.expansion for w in inner)]
        self.conv1 = conv(in_channels, outs[0], 7, stride=2) if large else conv(in_channels, outs[0], 3)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        self.stages = nn.Sequential(
            *(stage(block, outs[i], inner[i], depth=depth, stride=1 if i == 0 else 2) for i, depth in enumerate(depths))
        )
        first = self.stages[0][0]  # type: ignore[index]
        if first.downsample is None:  # so that the identity, too, starts behind the network's first activation
            first.downsample = nn.Identity()
        self.norm, self.relu = nn.BatchNorm2d(outs[-1]), nn.ReLU()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(outs[-1], num_classes)
        he_initialise(self)
        shrink = 4 if large else 1
        self.input_size = 224 if large else 32
        self.minimum_size = shrink * 2 ** (len(depths) - 1)
        self.feature_maps = tuple(FeatureMap(f"stages.{i}", outs[i + 1], shrink * 2**i) for i in range(len(depths)))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.stages(self.maxpool(self.conv1(images)))
        return self.fc(self.avgpool(self.relu(self.norm(x))).flatten(1))


WIDTHS = (64, 128, 256, 512)
register_table(
    {
        "resnet18_preact": (PreActBasicBlock, (2, 2, 2, 2), WIDTHS),
        "resnet34_preact": (PreActBasicBlock, (3, 4, 6, 3), WIDTHS),
        "resnet50_preact": (PreActBottleneck, (3, 4, 6, 3), WIDTHS),
        "resnet101_preact": (PreActBottleneck, (3, 4, 23, 3), WIDTHS),
        "resnet152_preact": (PreActBottleneck, (3, 8, 36, 3), WIDTHS),
        "resnet110_preact": (PreActBasicBlock, (18, 18, 18), (16, 32, 64)),
        "resnet164_preact": (PreActBottleneck, (18, 18, 18), (16, 32, 64)),
    },
    PreActResNet,
)
