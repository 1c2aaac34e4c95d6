"""Inception v3 (Szegedy et al. 2015, "Rethinking the Inception architecture for computer vision", arXiv 1512.00567).

| network | input | classes | parameters | multiply-adds |
| --- | --- | --- | --- | --- |
| inception_v3 | 3x299x299 | 1000 | 27,161,264 | 5,713,216,096 |

Table 1 of the paper as its authors published it: 7x7 kernels as 1x7 and 7x1, 3x3 as 1x3 beside 3x1 on the smallest maps,
reductions whose strides lie in parallel branches, one auxiliary classifier with batch norm on the 17x17 maps (3.3
million of the parameters).
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.public_names import publish
from osler.models.registry import FeatureMap, networks
from osler.nn.inception import V3_B, V3_D, V3_E, Branch, C, ShrinkTo, chain, sequence, unit, v3_a, v3_c, wider
from osler.nn.initialisation import he_initialise
from osler.nn.width import scaled

STEM: Branch = (
    C(32, 3, 2, valid=True),
    C(32, 3, valid=True),
    C(64, 3),
    "max/2valid",
    C(80),
    C(192, 3, valid=True),
    "max/2valid",
)
SMALL_STEM: Branch = (C(32, 3), C(32, 3), C(64, 3), C(80), C(192, 3))


class SideHead(nn.Module):
    """The auxiliary classifier: average pooling, 1x1 and 5x5 convolution, one linear layer."""

    def __init__(self, in_channels: int, num_classes: int, width: float) -> None:
        super().__init__()
        middle, features = scaled(128, width), scaled(768, width)
        self.pool = ShrinkTo(5, 3, 5)
        self.conv0, self.conv1 = unit(in_channels, C(middle)), unit(middle, C(features, 5, valid=True))
        self.average, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(features, num_classes)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Raw outputs."""
        return self.fc(self.average(self.conv1(self.conv0(self.pool(x)))).flatten(1))


@networks.register("inception_v3")
class InceptionV3(nn.Module):
    """A stem, three stages of Inception blocks, global average pooling, dropout, one linear layer; a head on the way.

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
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
    ) -> None:
        super().__init__()
        large = stem == "imagenet"
        (plan,) = wider((STEM if large else SMALL_STEM,), width)
        self.stem, channels = chain(in_channels, plan)
        self.mixed5, channels5 = sequence(channels, (v3_a(32), v3_a(64), v3_a(64)), "batch", width)
        self.mixed6, channels6 = sequence(channels5, (V3_B, v3_c(128), v3_c(160), v3_c(160), v3_c(192)), "batch", width)
        self.aux = SideHead(channels6, num_classes, width)
        self.mixed7, channels7 = sequence(channels6, (V3_D, V3_E, V3_E), "batch", width)
        self.average, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(dropout)
        self.fc = nn.Linear(channels7, num_classes)
        he_initialise(self)
        shrink = 8 if large else 1
        self.input_size = 299 if large else 32
        self.minimum_size = 75 if large else 7
        self.feature_maps = (
            FeatureMap("mixed5", channels5, shrink),
            FeatureMap("mixed6", channels6, 2 * shrink),
            FeatureMap("mixed7", channels7, 4 * shrink),
        )

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"] | tuple[Float[Tensor, "batch classes"], ...]:
        """Raw outputs of standardised pictures; in training those of the auxiliary classifier behind them."""
        middle = self.mixed6(self.mixed5(self.stem(images)))
        raw = self.fc(self.dropout(self.average(self.mixed7(middle)).flatten(1)))
        return (raw, self.aux(middle)) if self.training else raw


def _renames() -> list[tuple[str, str]]:
    """torchvision names a branch by its kernels and numbers its steps from 1."""
    stem = {"1a_3x3": 0, "2a_3x3": 1, "2b_3x3": 2, "3b_1x1": 4, "4a_3x3": 5}
    rules = [(rf"^Conv2d_{theirs}\.", f"stem.{ours}.") for theirs, ours in stem.items()]
    # For each block its place in ours, and its branches: the name, and how many steps it has (0: no numbers).
    a, c = (("1x1", 0), ("5x5", 2), ("3x3dbl", 3)), (("1x1", 0), ("7x7", 3), ("7x7dbl", 5))
    blocks: dict[str, tuple[str, tuple[tuple[str, int], ...]]]
    blocks = {f"5{letter}": (f"mixed5.{i}", a) for i, letter in enumerate("bcd")}
    blocks |= {f"6{letter}": (f"mixed6.{i + 1}", c) for i, letter in enumerate("bcde")}
    blocks |= {"6a": ("mixed6.0", (("3x3", 0), ("3x3dbl", 3))), "7a": ("mixed7.0", (("3x3", 2), ("7x7x3", 4)))}
    blocks |= {
        f"7{letter}": (f"mixed7.{i + 1}", (("1x1", 0), ("3x3", 1), ("3x3dbl", 2))) for i, letter in enumerate("bc")
    }
    for theirs, (ours, branches) in blocks.items():
        for i, (name, steps) in enumerate(branches):
            place = f"{ours}.branches.{i}"
            if not steps:
                rules.append((rf"^Mixed_{theirs}\.branch{name}\.", f"{place}.0."))
            rules += [(rf"^Mixed_{theirs}\.branch{name}_{j + 1}\.", f"{place}.{j}.") for j in range(steps)]
            if theirs in ("7b", "7c") and steps:  # the last step is two beside one another
                for side, half in enumerate("ab"):
                    split = f"{place}.{steps}.branches.{side}.0."
                    rules.append((rf"^Mixed_{theirs}\.branch{name}_{steps + 1}{half}\.", split))
        rules.append((rf"^Mixed_{theirs}\.branch_pool\.", f"{ours}.branches.3.1."))
    return [*rules, (r"^AuxLogits\.", "aux.")]


publish("torchvision", "inception_v3", renames=_renames())
