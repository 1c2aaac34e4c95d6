"""BN-Inception, Inception v2 (Ioffe and Szegedy 2015, "Batch normalization", arXiv 1502.03167, figure 5).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| bn_inception | 3x224x224 | 1000 | 11,188,288 | 1,934,857,216 |

Inception with batch norm behind every convolution and each 5x5 replaced by two 3x3; blocks 3c and 4e halve the size in
place of a pooling. The first convolution is separable, with eight maps of each colour (appendix). In the rows of 4c and 4d
the figure's filters do not add up to its output sizes, 576 channels; with 96 filters behind the pooling they do, and so the
authors' own code has it (Inception v2 of TensorFlow-Slim). The text's 13.6 million parameters are those of no network that
the figure describes. `form="public"` is the model that the world took over from Caffe: 128 filters there, and an ordinary
first convolution.
"""

from collections import OrderedDict
from typing import Annotated, Literal

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import FeatureMap, networks
from osler.nn.convolution import conv
from osler.nn.inception import C, sequence, unit, v2, v2_reduction
from osler.nn.initialisation import he_initialise
from osler.nn.width import scaled

Form = Literal["published", "public"]

MAPS_OF_A_COLOUR = 8  # of the separable first convolution
POOLED = {"published": 96, "public": 128}  # filters behind the pooling of 4c and 4d

# 1x1; 3x3 reduced, 3x3; double 3x3 reduced, double 3x3; behind pooling: the rows of figure 5.
BLOCKS_3 = (v2(64, (64, 64), (64, 96), 32), v2(64, (64, 96), (64, 96), 64))
BLOCKS_4 = {
    form: (
        v2_reduction((128, 160), (64, 96)),
        v2(224, (64, 96), (96, 128), 128),
        v2(192, (96, 128), (96, 128), 128),
        v2(160, (128, 160), (128, 160), pooled),
        v2(96, (128, 192), (160, 192), pooled),
    )
    for form, pooled in POOLED.items()
}
BLOCKS_5 = (
    v2_reduction((128, 192), (192, 256)),
    v2(352, (192, 320), (160, 224), 128),
    v2(352, (192, 320), (192, 224), 128, "max"),
)


@networks.register("bn_inception")
class BNInception(nn.Module):
    """A stem, three stages of Inception blocks, global average pooling, one linear layer.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small`: a 3x3 first convolution at stride 1, and no pooling before the blocks.
        form: `published`, or `public` as the field's weights.
        width: multiplies all channels.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        form: Form = "published",
        width: Annotated[float, Gt(0)] = 1.0,
    ) -> None:
        super().__init__()
        large, first, second = stem == "imagenet", scaled(64, width), scaled(192, width)
        self.conv1 = _first(in_channels, C(first, 7, 2) if large else C(first, 3), form)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True) if large else nn.Identity()
        self.conv2, self.conv3 = unit(first, C(first)), unit(first, C(second, 3))
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True) if large else nn.Identity()
        self.inception3, channels3 = sequence(second, BLOCKS_3, "batch", width)
        self.inception4, channels4 = sequence(channels3, BLOCKS_4[form], "batch", width)
        self.inception5, channels5 = sequence(channels4, BLOCKS_5, "batch", width)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels5, num_classes)
        he_initialise(self)
        shrink = 8 if large else 1
        self.input_size = 224 if large else 32
        self.minimum_size = 31 if large else 4
        self.feature_maps = (
            FeatureMap("inception3", channels3, shrink),
            FeatureMap("inception4", channels4, 2 * shrink),
            FeatureMap("inception5", channels5, 4 * shrink),
        )

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.conv3(self.conv2(self.pool1(self.conv1(images))))
        x = self.inception5(self.inception4(self.inception3(self.pool2(x))))
        return self.fc(self.average(x).flatten(1))


def _first(in_channels: int, step: C, form: Form) -> nn.Sequential:
    """The first convolution, separable in the published form: nothing stands between its two halves."""
    if form == "public":
        return unit(in_channels, step)
    assert isinstance(step.kernel, int)
    maps = in_channels * MAPS_OF_A_COLOUR
    depthwise = conv(in_channels, maps, step.kernel, stride=step.stride, groups=in_channels)
    pointwise = unit(maps, C(step.out))
    return nn.Sequential(OrderedDict([("depthwise", depthwise), *pointwise.named_children()]))
