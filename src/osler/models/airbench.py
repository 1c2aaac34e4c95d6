"""The network of airbench (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| airbench | 3x32x32 | 10 | 1,972,792 | 118,147,360 |

A whitening convolution of 2x2 pixels, fixed after it has seen training pictures; three blocks of (3x3 convolution,
maximum pooling, norm, GELU, 3x3 convolution, norm, GELU) with 64, 256 and 256 channels; the maximum over the last map;
a linear layer without bias whose output is divided by 9. Convolutions start as partial identities. Norms have no
trained weight, only a bias, which learns with 64 times the rate of everything else, and their running statistics
forget fast (section 3).

The paper's last pooling is 3x3 on a 3x3 map; here it covers the whole map, so that any size from 9x9 will do.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, networks
from osler.nn.convolution import conv
from osler.nn.initialisation import partial_identity_
from osler.nn.whitening import WhiteningConv2d

Width = Annotated[int, Gt(0)]
OUTPUT_SCALE = 1 / 9


@networks.register("airbench")
class Airbench(nn.Module):
    """A network that learns CIFAR-10 in about ten epochs.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        widths: channels of the three blocks.
    """

    lr_scales: Mapping[str, float] = {"blocks.*.norm?.bias": 64.0}  # parameter names to multiples of the learning rate

    def __init__(
        self, num_classes: int, in_channels: int = 3, widths: tuple[Width, Width, Width] = (64, 256, 256)
    ) -> None:
        super().__init__()
        self.whiten = WhiteningConv2d(in_channels, 2)
        self.act = nn.GELU()
        before = (self.whiten.out_channels, *widths)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in pairwise(before)))
        self.maximum = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(widths[-1], num_classes, bias=False)
        self.input_size = 32
        self.minimum_size = 9
        self.feature_maps = tuple(FeatureMap(f"blocks.{i}", w, 2 ** (i + 1)) for i, w in enumerate(widths))

    def initialise_from_data(self, images: Float[Tensor, "batch channels height width"]) -> None:
        """Measure the whitening filters on standardised training pictures (the paper takes 5,000)."""
        self.whiten.fit(images)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.blocks(self.act(self.whiten(images)))
        return self.head(self.maximum(x).flatten(1)) * OUTPUT_SCALE


class Block(nn.Module):
    """Two convolutions at half the size of the input."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, width, 3)
        self.pool = nn.MaxPool2d(2)
        self.norm1, self.act1 = _norm(width), nn.GELU()
        self.conv2 = conv(width, width, 3)
        self.norm2, self.act2 = _norm(width), nn.GELU()
        partial_identity_(self.conv1)
        partial_identity_(self.conv2)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch width half_h half_w"]:
        """Heights and widths are halved, rounded down."""
        y = self.act1(self.norm1(self.pool(self.conv1(x))))
        return self.act2(self.norm2(self.conv2(y)))


def _norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with its weight fixed at 1; the running statistics take 0.4 of each new batch."""
    norm = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad_(False)
    return norm
