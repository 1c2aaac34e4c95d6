"""RepVGG (Ding, Zhang, Ma, Han, Ding, Sun 2021, "RepVGG: making VGG-style ConvNets great again", arXiv 2101.03697).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| repvgg_a0 | 3x224x224 | 1000 | 9,108,968 | 1,512,581,120 |
| repvgg_a1 | 3x224x224 | 1000 | 14,092,264 | 2,626,488,320 |
| repvgg_a2 | 3x224x224 | 1000 | 28,210,600 | 5,685,345,280 |
| repvgg_b0 | 3x224x224 | 1000 | 15,817,960 | 3,397,191,680 |
| repvgg_b1 | 3x224x224 | 1000 | 57,415,016 | 13,128,089,600 |
| repvgg_b1g2 | 3x224x224 | 1000 | 45,782,376 | 9,788,375,040 |
| repvgg_b1g4 | 3x224x224 | 1000 | 39,966,056 | 8,118,517,760 |
| repvgg_b2 | 3x224x224 | 1000 | 89,022,376 | 20,418,170,880 |
| repvgg_b2g2 | 3x224x224 | 1000 | 70,846,376 | 15,199,866,880 |
| repvgg_b2g4 | 3x224x224 | 1000 | 61,758,376 | 12,590,714,880 |
| repvgg_b3 | 3x224x224 | 1000 | 123,085,288 | 29,120,696,320 |
| repvgg_b3g2 | 3x224x224 | 1000 | 96,911,848 | 21,606,338,560 |
| repvgg_b3g4 | 3x224x224 | 1000 | 83,825,128 | 17,849,159,680 |

Parameters of the training form. Five stages of 3x3 blocks, each of which begins with a stride of 2; the first has one
block. In training a block has three branches; `osler.models.deployed.deployed` gives the network of plain 3x3
convolutions that answers the same, and `deployed=True` makes one of that shape for weights that were deployed. The g2
and g4 networks have groups in every second block from the second on. Submodules bear timm's names.
"""

from typing import Annotated, Literal

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, register_table
from osler.nn.initialisation import he_initialise
from osler.nn.rep_vgg import DeployedBlock, RepVGGBlock
from osler.nn.width import scaled

A, B = (2, 4, 14, 1), (4, 6, 16, 1)  # blocks of stages 2 to 5


class Head(nn.Module):
    """Global average pooling and one linear layer, called `fc`."""

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        self.average, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(features, num_classes)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs."""
        return self.fc(self.average(x).flatten(1))


class RepVGG(nn.Module):
    """A first block, four stages, a head.

    Args:
        depths: blocks of stages 2 to 5.
        widths: channels of stages 2 to 5; stage 1 has those of stage 2, but at most 64.
        groups: of the convolutions of every second block.
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small` leaves the first two stages at stride 1.
        width: multiplies all channels.
        deployed: plain 3x3 convolutions with bias, for weights that were re-parameterised.
    """

    def __init__(
        self,
        depths: tuple[int, int, int, int],
        widths: tuple[float, float, float, float],
        groups: int,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        width: Annotated[float, Gt(0)] = 1.0,
        deployed: bool = False,
    ) -> None:
        super().__init__()
        block = DeployedBlock if deployed else RepVGGBlock
        strides = (2, 2, 2, 2, 2) if stem == "imagenet" else (1, 1, 2, 2, 2)
        outs = [scaled(int(base * times), width) for base, times in zip((64, 128, 256, 512), widths, strict=True)]
        before = min(scaled(64, width), outs[0])
        self.stem = block(in_channels, before, stride=strides[0])
        stages, number = [], 1  # blocks are counted through the whole network: groups are in every second one
        for depth, out, first in zip(depths, outs, strides[1:], strict=True):
            blocks = []
            for i in range(depth):
                split = groups if number % 2 == 0 else 1
                blocks.append(block(before, out, stride=first if i == 0 else 1, groups=split))
                before, number = out, number + 1
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.head = Head(before, num_classes)
        # He's size is for one path. Three of them add up here, which over 28 layers makes large numbers before the norms
        # have statistics; PyTorch's own smaller start keeps them level, and is that of the authors' code.
        he_initialise(self if deployed else self.head)
        self.input_size = 224 if stem == "imagenet" else 32
        self.minimum_size = 1
        shrink = strides[0]
        maps = []
        for i, (out, stride) in enumerate(zip(outs, strides[1:], strict=True)):
            shrink *= stride
            maps.append(FeatureMap(f"stages.{i}", out, shrink))
        self.feature_maps = tuple(maps)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        return self.head(self.stages(self.stem(images)))


register_table(
    {
        "repvgg_a0": (A, (0.75, 0.75, 0.75, 2.5), 1),
        "repvgg_a1": (A, (1, 1, 1, 2.5), 1),
        "repvgg_a2": (A, (1.5, 1.5, 1.5, 2.75), 1),
        "repvgg_b0": (B, (1, 1, 1, 2.5), 1),
        "repvgg_b1": (B, (2, 2, 2, 4), 1),
        "repvgg_b1g2": (B, (2, 2, 2, 4), 2),
        "repvgg_b1g4": (B, (2, 2, 2, 4), 4),
        "repvgg_b2": (B, (2.5, 2.5, 2.5, 5), 1),
        "repvgg_b2g2": (B, (2.5, 2.5, 2.5, 5), 2),
        "repvgg_b2g4": (B, (2.5, 2.5, 2.5, 5), 4),
        "repvgg_b3": (B, (3, 3, 3, 5), 1),
        "repvgg_b3g2": (B, (3, 3, 3, 5), 2),
        "repvgg_b3g4": (B, (3, 3, 3, 5), 4),
    },
    RepVGG,
)
for kind in ("a0", "a1", "a2", "b0", "b1", "b1g4", "b2", "b2g4", "b3", "b3g4"):
    publish("timm", f"repvgg_{kind}")
