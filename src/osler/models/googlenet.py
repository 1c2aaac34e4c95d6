"""GoogLeNet, Inception v1 (Szegedy et al. 2014, "Going deeper with convolutions", arXiv 1409.4842, table 1).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| googlenet | 3x224x224 | 1000 | 13,378,280 | 1,582,671,872 |

Twenty-two layers with weights, nine Inception blocks, two auxiliary classifiers that are discarded in evaluation (6,379,728
of the parameters are theirs). As published: biases and no batch norm, local response norm around the second convolution,
5x5 kernels. `form="public"` is the network of the field's public weights: batch norm, 3x3 kernels where the paper has 5x5,
a last pooling of 2x2 (13,004,888 parameters).

The paper does not say how the weights start. Without batch norm He's rule by fan out, which our other networks use, makes
the 1x1 reductions multiply what they are given (192 channels to 16: by 3.5 each time) until the outputs are in the hundreds;
the published form therefore goes by fan in.
"""

from typing import Annotated, Literal

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, networks
from osler.nn.inception import C, Norm, ShrinkTo, sequence, unit, v1
from osler.nn.initialisation import fill_weights, he_initialise
from osler.nn.local_response_norm import LocalResponseNorm
from osler.nn.width import scaled

Numbers = tuple[int, tuple[int, int], tuple[int, int], int]

# 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; behind pooling: the rows of table 1.
INCEPTION_3: tuple[Numbers, ...] = (
    (64, (96, 128), (16, 32), 32),
    (128, (128, 192), (32, 96), 64),
)
INCEPTION_4: tuple[Numbers, ...] = (
    (192, (96, 208), (16, 48), 64),
    (160, (112, 224), (24, 64), 64),
    (128, (128, 256), (24, 64), 64),
    (112, (144, 288), (32, 64), 64),
    (256, (160, 320), (32, 128), 128),
)
INCEPTION_5: tuple[Numbers, ...] = (
    (256, (160, 320), (32, 128), 128),
    (384, (192, 384), (48, 128), 128),
)


class SideHead(nn.Module):
    """An auxiliary classifier (section 5): average pooling 5x5 at stride 3, 1x1 convolution, two linear layers."""

    def __init__(self, in_channels: int, num_classes: int, norm: Norm, width: float) -> None:
        super().__init__()
        middle, hidden = scaled(128, width), scaled(1024, width)
        self.pool = ShrinkTo(5, 3, 4) if norm == "none" else nn.AdaptiveAvgPool2d(4)
        self.conv = unit(in_channels, C(middle), norm)
        self.fc1, self.act, self.dropout = nn.Linear(16 * middle, hidden), nn.ReLU(), nn.Dropout(0.7)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs."""
        return self.fc2(self.dropout(self.act(self.fc1(self.conv(self.pool(x)).flatten(1)))))


@networks.register("googlenet")
class GoogLeNet(nn.Module):
    """A stem, two, five and two Inception blocks, global average pooling, one linear layer; two heads on the way.

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
        form: Literal["published", "public"] = "published",
        width: Annotated[float, Gt(0)] = 1.0,
    ) -> None:
        super().__init__()
        large, published = stem == "imagenet", form == "published"
        norm: Norm = "none" if published else "batch"
        first, second, side = scaled(64, width), scaled(192, width), 5 if published else 3
        self.conv1 = unit(in_channels, C(first, 7, 2) if large else C(first, 3), norm)
        self.pool1, self.respond1 = _pool(large), _respond(published)
        self.conv2 = unit(first, C(first), norm)
        self.conv3 = unit(first, C(second, 3), norm)
        self.respond2, self.pool2 = _respond(published), _pool(large)
        self.inception3, channels3 = sequence(second, [v1(*n, side=side) for n in INCEPTION_3], norm, width)
        self.pool3 = _pool(True)
        blocks = [v1(*n, side=side) for n in INCEPTION_4]
        self.inception4a, channels_a = sequence(channels3, blocks[:1], norm, width)
        self.inception4d, channels_d = sequence(channels_a, blocks[1:4], norm, width)
        self.inception4e, channels4 = sequence(channels_d, blocks[4:], norm, width)
        self.pool4 = nn.MaxPool2d(3 if published else 2, 2, ceil_mode=True)
        self.inception5, channels5 = sequence(channels4, [v1(*n, side=side) for n in INCEPTION_5], norm, width)
        self.aux1 = SideHead(channels_a, num_classes, norm, width)
        self.aux2 = SideHead(channels_d, num_classes, norm, width)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.4 if published else 0.2)
        self.fc = nn.Linear(channels5, num_classes)
        self._initialise(published)
        shrink = 8 if large else 1
        self.input_size = 224 if large else 32
        self.minimum_size = 31 if large else 4
        self.feature_maps = (
            FeatureMap("inception3", channels3, shrink),
            FeatureMap("inception4e", channels4, 2 * shrink),
            FeatureMap("inception5", channels5, 4 * shrink),
        )

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"] | tuple[Float[Tensor, "batch classes"], ...]:
        """Raw outputs of standardised pictures; in training those of both auxiliary classifiers behind them."""
        x = self.conv2(self.respond1(self.pool1(self.conv1(images))))
        x = self.pool2(self.respond2(self.conv3(x)))
        a = self.inception4a(self.pool3(self.inception3(x)))
        d = self.inception4d(a)
        x = self.inception5(self.pool4(self.inception4e(d)))
        raw = self.fc(self.dropout(self.average(x).flatten(1)))
        return (raw, self.aux1(a), self.aux2(d)) if self.training else raw

    def _initialise(self, published: bool) -> None:
        if not published:
            he_initialise(self)
        elif not self.fc.weight.is_meta:  # PyTorch would load its compiler (1 s) to fill nothing
            fill_weights(self, "he_normal")


def _pool(pools: bool) -> nn.Module:
    return nn.MaxPool2d(3, 2, ceil_mode=True) if pools else nn.Identity()


def _respond(responds: bool) -> nn.Module:
    return LocalResponseNorm() if responds else nn.Identity()


def _renames() -> list[tuple[str, str]]:
    """torchvision names blocks by letters and branches from 1; a branch of one convolution has no number."""
    places = {"3a": "3.0", "3b": "3.1", "4a": "4a.0", "4b": "4d.0", "4c": "4d.1", "4d": "4d.2", "4e": "4e.0"}
    rules = []
    for theirs, ours in (places | {"5a": "5.0", "5b": "5.1"}).items():
        block = f"inception{ours}.branches"
        rules.append((rf"^inception{theirs}\.branch1\.", f"{block}.0.0."))
        rules += [(rf"^inception{theirs}\.branch{i + 1}\.", f"{block}.{i}.") for i in (1, 2, 3)]
    return rules


publish("torchvision", "googlenet", renames=_renames(), form="public")
