"""Inception-ResNet v2 (Szegedy, Ioffe, Vanhoucke, Alemi 2016, arXiv 1602.07261, figures 15 to 19).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| inception_resnet_v2 | 3x299x299 | 1000 | 55,843,464 | 13,155,794,016 |

Inception blocks whose branches are put together by a 1x1 convolution, scaled by 0.17, 0.1 and 0.2, and added to the
input. The numbers of blocks (10, 20, 10), the stem (v3's) and the scales are those of the model that the authors
published, from which the paper's figures differ a little; its count of parameters is the one that Keras, timm and
pytorchcv give for 1000 classes.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.inception_v3 import SMALL_STEM, STEM
from osler.models.public_names import publish
from osler.models.registry import FeatureMap, networks
from osler.nn.inception import (
    RESIDUAL_A,
    RESIDUAL_B,
    RESIDUAL_C,
    Block,
    C,
    InceptionResidual,
    chain,
    inception,
    unit,
    wider,
)
from osler.nn.initialisation import he_initialise
from osler.nn.width import scaled

MIXED_5: Block = ((C(96),), (C(48), C(64, 5)), (C(64), C(96, 3), C(96, 3)), ("avg_inside", C(64)))
REDUCTION_A: Block = ((C(384, 3, 2, valid=True),), (C(256), C(256, 3), C(384, 3, 2, valid=True)), ("max/2valid",))
REDUCTION_B: Block = (
    (C(256), C(384, 3, 2, valid=True)),
    (C(256), C(288, 3, 2, valid=True)),
    (C(256), C(288, 3), C(320, 3, 2, valid=True)),
    ("max/2valid",),
)


@networks.register("inception_resnet_v2")
class InceptionResNetV2(nn.Module):
    """A stem, three stages of residual Inception blocks, a 1x1 convolution, global average pooling, one linear layer.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small`: 3x3 convolutions at stride 1, and no pooling before the blocks.
        width: multiplies all channels.
        dropout: share of the features that are dropped before the head, in training.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        stem: Literal["imagenet", "small"] = "imagenet",
        width: Annotated[float, Gt(0)] = 1.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.2,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        (plan,) = wider((STEM if large else SMALL_STEM,), width)
        self.stem, channels = chain(in_channels, plan)
        self.stage1, channels1 = _stage(channels, MIXED_5, RESIDUAL_A, [0.17] * 10, width)
        self.stage2, channels2 = _stage(channels1, REDUCTION_A, RESIDUAL_B, [0.1] * 20, width)
        self.stage3, channels3 = _stage(channels2, REDUCTION_B, RESIDUAL_C, [0.2] * 9 + [1.0], width, ends=True)
        features = scaled(1536, width)
        self.last = unit(channels3, C(features))
        self.average, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.head = nn.Linear(features, num_classes)
        he_initialise(self)
        shrink = 8 if large else 1
        self.input_size = 299 if large else 32
        self.minimum_size = 75 if large else 7
        self.feature_maps = (
            FeatureMap("stage1", channels1, shrink),
            FeatureMap("stage2", channels2, 2 * shrink),
            FeatureMap("stage3", channels3, 4 * shrink),
        )

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs of standardised pictures."""
        x = self.last(self.stage3(self.stage2(self.stage1(self.stem(images)))))
        return self.head(self.dropout(self.average(x).flatten(1)))


def _stage(
    in_channels: int, first: Block, block: Block, scales: list[float], width: float, *, ends: bool = False
) -> tuple[nn.Sequential, int]:
    """A block that sets size and channels, residual blocks behind it (the last of a network without activation)."""
    entry, channels = inception(in_channels, wider(first, width))
    last = len(scales) - 1
    blocks = [
        InceptionResidual(channels, wider(block, width), scale, last=ends and i == last)
        for i, scale in enumerate(scales)
    ]
    return nn.Sequential(entry, *blocks), channels


def _renames() -> list[tuple[str, str]]:
    """timm calls residual blocks `repeat`, and a branch of one convolution has no number."""
    stem = {"1a": 0, "2a": 1, "2b": 2, "3b": 4, "4a": 5}
    rules = [(rf"^conv2d_{theirs}\.", f"stem.{ours}.") for theirs, ours in stem.items()]
    for number, (entry, repeat) in enumerate(
        (("mixed_5b", "repeat"), ("mixed_6a", "repeat_1"), ("mixed_7a", "repeat_2")), 1
    ):
        rules += [
            (rf"^{entry}\.branch(\d)\.(\d)\.", rf"stage{number}.0.branches.\1.\2."),
            (rf"^{entry}\.branch(\d)\.", rf"stage{number}.0.branches.\1.0."),
        ]
        places = {rf"{repeat}\.{i}": i + 1 for i in range(20)} | ({"block8": 10} if number == 3 else {})
        for theirs, ours in places.items():
            block = f"stage{number}.{ours}"
            rules += [
                (rf"^{theirs}\.branch(\d)\.(\d)\.", rf"{block}.mixed.branches.\1.\2."),
                (rf"^{theirs}\.branch(\d)\.", rf"{block}.mixed.branches.\1.0."),
                (rf"^{theirs}\.conv2d\.", f"{block}.project."),
            ]
    return [*rules, (r"^conv2d_7b\.", "last."), (r"^classif\.", "head.")]


publish("timm", "inception_resnet_v2", renames=_renames())
