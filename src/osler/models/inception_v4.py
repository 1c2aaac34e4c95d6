"""Inception v4 (Szegedy, Ioffe, Vanhoucke, Alemi 2016, "Inception-v4, Inception-ResNet and the impact of residual
connections on learning", arXiv 1602.07261, figures 3 to 9).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| inception_v4 | 3x299x299 | 1000 | 42,679,816 | 12,253,974,624 |

Four, seven and three blocks of a more uniform kind than v3's, with reductions between them, and a stem that branches. It
has no residual connections: that is Inception-ResNet, from the same paper.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, networks
from osler.nn.inception import (
    V4_A,
    V4_B,
    V4_C,
    V4_REDUCTION_A,
    V4_REDUCTION_B,
    Branch,
    C,
    Split,
    chain,
    sequence,
    wider,
)
from osler.nn.initialisation import he_initialise

STEM: Branch = (
    C(32, 3, 2, valid=True),
    C(32, 3, valid=True),
    C(64, 3),
    Split((("max/2valid",), (C(96, 3, 2, valid=True),))),
    Split(((C(64), C(96, 3, valid=True)), (C(64), C(64, (1, 7)), C(64, (7, 1)), C(96, 3, valid=True)))),
    Split(((C(192, 3, 2, valid=True),), ("max/2valid",))),
)
SMALL_STEM: Branch = (
    C(32, 3),
    C(64, 3),
    Split(((C(64), C(96, 3)), (C(64), C(64, (1, 7)), C(64, (7, 1)), C(96, 3)))),
    Split(((C(192, 3),), ("max", C(192)))),
)


@networks.register("inception_v4")
class InceptionV4(nn.Module):
    """A stem, three stages of Inception blocks, global average pooling, dropout, one linear layer.

    Args:
        num_classes: raw outputs.
        in_channels: of the pictures.
        stem: `small`: the branching stem at stride 1.
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
        self.stage1, channels1 = sequence(channels, (V4_A,) * 4, "batch", width)
        self.stage2, channels2 = sequence(channels1, (V4_REDUCTION_A, *(V4_B,) * 7), "batch", width)
        self.stage3, channels3 = sequence(channels2, (V4_REDUCTION_B, *(V4_C,) * 3), "batch", width)
        self.average, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.head = nn.Linear(channels3, num_classes)
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
        x = self.stage3(self.stage2(self.stage1(self.stem(images))))
        return self.head(self.dropout(self.average(x).flatten(1)))


def _renames() -> list[tuple[str, str]]:
    """timm numbers all blocks through; a branch of one convolution has no number."""
    rules = [(rf"^features\.{i}\.(conv|bn)\.", rf"stem.{i}.\1.") for i in range(3)]
    rules += [(r"^features\.3\.conv\.", "stem.3.branches.1.0."), (r"^features\.5\.conv\.", "stem.5.branches.0.0.")]
    rules.append((r"^features\.4\.branch(\d)\.", r"stem.4.branches.\1."))
    places = [f"stage1.{i}" for i in range(4)] + [f"stage2.{i}" for i in range(8)] + [f"stage3.{i}" for i in range(4)]
    for number, place in enumerate(places, 6):
        block = rf"^features\.{number}\.branch"
        rules += [
            (rf"{block}(\d)\.(conv|bn)\.", rf"{place}.branches.\1.0.\2."),
            (rf"{block}(\d)\.(\d)\.", rf"{place}.branches.\1.\2."),
            (rf"{block}(\d)_(\d)\.", rf"{place}.branches.\1.\2."),
        ]
        for branch, last in ((1, 1), (2, 3)):
            for side, half in enumerate("ab"):
                rules.append(
                    (rf"{block}{branch}_{last}{half}\.", f"{place}.branches.{branch}.{last}.branches.{side}.0.")
                )
    return [*rules, (r"^last_linear\.", "head.")]


publish("timm", "inception_v4", renames=_renames())
