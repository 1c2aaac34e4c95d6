"""DenseNet (Huang, Liu, van der Maaten, Weinberger 2017, "Densely connected convolutional networks", arXiv 1608.06993).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| densenet121 | 3x224x224 | 1000 | 7,978,856 | 2,834,161,664 |
| densenet161 | 3x224x224 | 1000 | 28,681,000 | 7,727,907,072 |
| densenet169 | 3x224x224 | 1000 | 14,149,480 | 3,359,843,328 |
| densenet201 | 3x224x224 | 1000 | 20,013,928 | 4,291,365,888 |
| densenet_bc100 | 3x32x32 | 10 | 769,162 | 287,929,692 |

Dense blocks, and between them transitions that halve the size (table 1). The forms are the paper's: B has a 1x1
convolution in each layer, C halves the channels in each transition, BC has both, `plain` neither. `densenet_bc100` is
the network of growth 12 and 100 layers for CIFAR (table 2): three blocks of 16 layers behind the small stem. Submodules
bear the names under which the field's public weights are stored.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, register_table
from osler.nn.convolution import conv
from osler.nn.dense_block import DenseBlock, Transition
from osler.nn.initialisation import he_initialise
from osler.nn.width import scaled

Form = Literal["plain", "B", "C", "BC"]
CIFAR_STEM = 16  # channels of the small stem where nothing halves them (section 3, "Implementation details")


@dataclass(frozen=True, slots=True)
class DensePlan:
    """What a network is published with."""

    growth: int  # channels that each layer adds
    depths: tuple[int, ...]  # layers of each block
    stem: Literal["imagenet", "small"] = "imagenet"


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, a last norm, global average pooling, one linear layer.

    Args:
        plan: growth, blocks and stem as published.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `imagenet` (7x7 at stride 2, then 3x3 maximum pooling at stride 2), `small` (3x3 at stride 1), or as
            `published`.
        width: multiplies the growth, to a multiple of 4, and with it all channels.
        growth: channels that each layer adds at width 1, in place of the published.
        form: with 1x1 convolutions (B), with fewer channels behind transitions (C), with both, with neither.
        dropout: share of the values behind each convolution but the first that are dropped in training; 0.2 in the
            paper for training sets that are not augmented.
    """

    def __init__(
        self,
        plan: DensePlan,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["published", "imagenet", "small"] = "published",
        width: Annotated[float, Gt(0)] = 1.0,
        growth: Annotated[int, Gt(0)] | None = None,
        form: Form = "BC",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        large = (plan.stem if stem == "published" else stem) == "imagenet"
        added = scaled(growth or plan.growth, width, divisor=4)
        channels = 2 * added if large or form == "BC" else scaled(CIFAR_STEM, width)
        self.features = _stem(in_channels, channels, large)
        stride, last, maps = 4 if large else 1, len(plan.depths), []
        for i, depth in enumerate(plan.depths, start=1):
            block = DenseBlock(channels, depth, added, bottleneck="B" in form, dropout=dropout)
            self.features.add_module(f"denseblock{i}", block)
            channels += depth * added
            maps.append(FeatureMap(f"features.denseblock{i}" if i < last else "features", channels, stride))
            if i < last:
                fewer = channels // 2 if "C" in form else channels
                self.features.add_module(f"transition{i}", Transition(channels, fewer, dropout=dropout))
                channels, stride = fewer, 2 * stride
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.features.add_module("relu5", nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        he_initialise(self)
        self.input_size = 224 if large else 32
        self.minimum_size = stride - 3 if large else stride
        self.feature_maps = tuple(maps)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


def _stem(in_channels: int, channels: int, large: bool) -> nn.Sequential:
    """The first layers; a network for small pictures has its first norm in the first block."""
    stem = nn.Sequential()
    if not large:
        stem.add_module("conv0", conv(in_channels, channels, 3))
        return stem
    stem.add_module("conv0", conv(in_channels, channels, 7, stride=2))
    stem.add_module("norm0", nn.BatchNorm2d(channels))
    stem.add_module("relu0", nn.ReLU())
    stem.add_module("pool0", nn.MaxPool2d(3, stride=2, padding=1))
    return stem


register_table(
    {
        "densenet121": (DensePlan(32, (6, 12, 24, 16)),),
        "densenet161": (DensePlan(48, (6, 12, 36, 24)),),
        "densenet169": (DensePlan(32, (6, 12, 32, 32)),),
        "densenet201": (DensePlan(32, (6, 12, 48, 32)),),
        "densenet_bc100": (DensePlan(12, (16, 16, 16), "small"),),
    },
    DenseNet,
)
# torchvision's files are older than its modules' names: what they call norm.1 is norm1 there now.
OLD_NAMES = ((r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2."),)
for name in ("densenet121", "densenet161", "densenet169", "densenet201"):
    publish("torchvision", name, renames=OLD_NAMES)
