"""A small convolutional network for pictures of 8x8 to 64x64, fast to train on a laptop.

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| convnet | 3x32x32 | 10 | 288,746 | 38,634,752 |

No paper of its own: stages of 3x3 convolution, batch norm (Ioffe and Szegedy 2015) and ReLU as VGG stacks them
(Simonyan and Zisserman 2014), maximum pooling between stages, global average pooling at the end (Lin, Chen, Yan 2013)
so that any size will do.
"""

from itertools import pairwise
from typing import Annotated

from annotated_types import Ge, Gt, Lt, MinLen
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, networks
from osler.nn.convolution import conv_norm_act
from osler.nn.initialisation import he_initialise


@networks.register("convnet")
class ConvNet(nn.Module):
    """Stages of convolutions, each at half the size of the one before.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        widths: channels of each stage.
        depth: convolutions in a stage.
        dropout: share of the features that are dropped before the head, in training.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        widths: Annotated[tuple[Annotated[int, Gt(0)], ...], MinLen(1)] = (32, 64, 128),
        depth: Annotated[int, Gt(0)] = 2,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        before = (in_channels, *widths)
        self.stages = nn.ModuleList(_stage(a, b, depth) for a, b in pairwise(before))
        self.shrink = nn.MaxPool2d(2)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], num_classes)
        he_initialise(self)
        self.input_size = 32
        self.minimum_size = 2 ** (len(widths) - 1)
        self.feature_maps = tuple(FeatureMap(f"stages.{i}", w, 2**i) for i, w in enumerate(widths))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.stages[0](images)
        for stage in self.stages[1:]:
            x = stage(self.shrink(x))
        return self.head(self.dropout(self.average(x).flatten(1)))


def _stage(in_channels: int, width: int, depth: int) -> nn.Sequential:
    first = conv_norm_act(in_channels, width)
    return nn.Sequential(first, *(conv_norm_act(width, width) for _ in range(depth - 1)))
