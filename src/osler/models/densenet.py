"""DenseNet (Huang, Liu, van der Maaten, Weinberger 2017, "Densely connected convolutional networks", arXiv 1608.06993).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| densenet121 | 3x224x224 | 1000 | 7,978,856 | 2,834,161,664 |
| densenet161 | 3x224x224 | 1000 | 28,681,000 | 7,727,907,072 |
| densenet169 | 3x224x224 | 1000 | 14,149,480 | 3,359,843,328 |
| densenet201 | 3x224x224 | 1000 | 20,013,928 | 4,291,365,888 |
| densenet_bc100 | 3x32x32 | 10 | 769,162 | 287,929,692 |

Dense blocks with transitions between them that halve channels and size (table 1). `densenet_bc100` is the paper's for
CIFAR-10 with growth 12 (table 2; 0.8 million parameters): three blocks of 16 layers. Submodules bear the names under
which the field's public weights are stored.
"""

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


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, a last norm, global average pooling, one linear layer.

    Args:
        growth: channels that each layer adds.
        depths: layers in each block.
        first: channels of the stem.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `imagenet` (7x7 at stride 2, then 3x3 maximum pooling at stride 2) or `small` (3x3 at stride 1); `auto`:
            small for the network of CIFAR.
        width: multiplies growth and the stem's channels.
        dropout: share of each layer's new values that are dropped, in training.
    """

    def __init__(
        self,
        growth: int,
        depths: tuple[int, ...],
        first: int,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["auto", "imagenet", "small"] = "auto",
        width: Annotated[float, Gt(0)] = 1.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        large = stem == "imagenet" or (stem == "auto" and len(depths) == 4)
        channels, growth = scaled(first, width), scaled(growth, width, divisor=4)
        self.features = nn.Sequential()
        self.features.add_module("conv0", conv(in_channels, channels, 7 if large else 3, stride=2 if large else 1))
        if large:
            self.features.add_module("norm0", nn.BatchNorm2d(channels))
            self.features.add_module("relu0", nn.ReLU())
            self.features.add_module("pool0", nn.MaxPool2d(3, stride=2, padding=1))
        shrink, maps = (4 if large else 1), []
        for i, depth in enumerate(depths):
            self.features.add_module(f"denseblock{i + 1}", DenseBlock(channels, depth, growth, dropout=dropout))
            channels += depth * growth
            maps.append(FeatureMap(f"features.denseblock{i + 1}", channels, shrink * 2**i))
            if i < len(depths) - 1:
                self.features.add_module(f"transition{i + 1}", Transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.features.add_module("relu5", nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        he_initialise(self)
        self.input_size = 224 if large else 32
        self.minimum_size = 29 if large else 2 ** (len(depths) - 1)
        self.feature_maps = tuple(maps)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


register_table(
    {
        "densenet121": (32, (6, 12, 24, 16), 64),
        "densenet161": (48, (6, 12, 36, 24), 96),
        "densenet169": (32, (6, 12, 32, 32), 64),
        "densenet201": (32, (6, 12, 48, 32), 64),
        "densenet_bc100": (12, (16, 16, 16), 24),
    },
    DenseNet,
)
# The files of torchvision are older than its modules' names: norm.1 there is norm1 now.
OLD_NAMES = ((r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)\.", r"\1\2."),)
for name in ("densenet121", "densenet161", "densenet169", "densenet201"):
    publish("torchvision", name, renames=OLD_NAMES)
