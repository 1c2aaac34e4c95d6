"""Inception blocks of four generations, each a few branches in a table.

v1: Szegedy et al. 2014 ("Going deeper with convolutions"); v2: Ioffe and Szegedy 2015 (batch norm) and, with v3, Szegedy
et al. 2015 ("Rethinking the Inception architecture"); v4 and Inception-ResNet: Szegedy et al. 2016. A block is written as
the branches that it has, and a branch as its steps; `inception` makes the module.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.branches import Branches
from osler.nn.width import scaled

Kernel = int | tuple[int, int]


class C(NamedTuple):
    """A convolution: output channels, kernel, stride; padded to keep the size unless `valid`."""

    out: int
    kernel: Kernel = 1
    stride: int = 1
    valid: bool = False


class Split(NamedTuple):
    """Two or more branches within a branch."""

    branches: tuple["Branch", ...]


Step = C | Split | Literal["avg", "avg_inside", "max", "max/2", "max/2valid"]
Branch = tuple[Step, ...]
Block = tuple[Branch, ...]
Norm = Literal["none", "batch"]

POOLS: dict[str, Callable[[], nn.Module]] = {
    "avg": lambda: nn.AvgPool2d(3, 1, padding=1),
    "avg_inside": lambda: nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
    "max": lambda: nn.MaxPool2d(3, 1, padding=1),
    "max/2": lambda: nn.MaxPool2d(3, 2, padding=1),
    "max/2valid": lambda: nn.MaxPool2d(3, 2),
}


def unit(in_channels: int, step: C, norm: Norm = "batch") -> nn.Sequential:
    """A convolution, batch norm with eps 0.001 unless there is none (then a bias), ReLU: `conv`, `bn`, `act`."""
    height, width = (step.kernel, step.kernel) if isinstance(step.kernel, int) else step.kernel
    padding = (0, 0) if step.valid else (height // 2, width // 2)
    conv = nn.Conv2d(in_channels, step.out, (height, width), step.stride, padding, bias=norm == "none")
    parts: list[tuple[str, nn.Module]] = [("conv", conv)]
    parts += [("bn", nn.BatchNorm2d(step.out, eps=0.001))] if norm == "batch" else []
    return nn.Sequential(OrderedDict([*parts, ("act", nn.ReLU())]))


def chain(in_channels: int, branch: Branch, norm: Norm = "batch") -> tuple[nn.Sequential, int]:
    """The steps of a branch as modules, and how many channels come out."""
    steps: list[nn.Module] = []
    for step in branch:
        if isinstance(step, C):
            steps.append(unit(in_channels, step, norm))
            in_channels = step.out
        elif isinstance(step, Split):
            module, in_channels = inception(in_channels, step.branches, norm)
            steps.append(module)
        else:
            steps.append(POOLS[step]())
    return nn.Sequential(*steps), in_channels


def inception(in_channels: int, block: Block, norm: Norm = "batch") -> tuple[Branches, int]:
    """The branches of a block side by side, and how many channels come out."""
    made = [chain(in_channels, branch, norm) for branch in block]
    return Branches(branch for branch, _ in made), sum(out for _, out in made)


def wider(block: Block, width: float) -> Block:
    """A block with all channels multiplied."""
    if width == 1:
        return block
    return tuple(tuple(_wider(step, width) for step in branch) for branch in block)


def _wider(step: Step, width: float) -> Step:
    if isinstance(step, C):
        return step._replace(out=scaled(step.out, width))
    return Split(wider(step.branches, width)) if isinstance(step, Split) else step


def naive(one: int, three: int, five: int) -> Block:
    """The idea without 1x1 reductions (figure 2a of 2014): its 5x5 kernels see all channels, and pooling keeps them."""
    return ((C(one),), (C(three, 3),), (C(five, 5),), ("max",))


def v1(one: int, three: tuple[int, int], five: tuple[int, int], pool: int, *, side: int = 5) -> Block:
    """1x1 before 3x3 and 5x5 and behind pooling (figure 2b). `side=3`: the 3x3 that public weights have for 5x5."""
    return ((C(one),), (C(three[0]), C(three[1], 3)), (C(five[0]), C(five[1], side)), ("max", C(pool)))


def v2(
    one: int, three: tuple[int, int], double: tuple[int, int], pool: int, kind: Literal["avg", "max"] = "avg"
) -> Block:
    """5x5 as two 3x3: the same view with 18/25 of the weights."""
    twice = (C(double[0]), C(double[1], 3), C(double[1], 3))
    return ((C(one),), (C(three[0]), C(three[1], 3)), twice, (kind, C(pool)))


def v2_reduction(three: tuple[int, int], double: tuple[int, int]) -> Block:
    """Half the size: strides in the last convolutions and in the pooling, which passes its channels through."""
    twice = (C(double[0]), C(double[1], 3), C(double[1], 3, 2))
    return ((C(three[0]), C(three[1], 3, 2)), twice, ("max/2",))


def v3_a(pool: int) -> Block:
    """35x35: 1x1, 5x5, two 3x3, pooling."""
    return ((C(64),), (C(48), C(64, 5)), (C(64), C(96, 3), C(96, 3)), ("avg", C(pool)))


V3_B: Block = (
    (C(384, 3, 2, valid=True),),
    (C(64), C(96, 3), C(96, 3, 2, valid=True)),
    ("max/2valid",),
)  # 35x35 to 17x17


def v3_c(seven: int) -> Block:
    """17x17: 7x7 as 1x7 and 7x1, once and twice (figure 6 of "Rethinking")."""
    once = (C(seven), C(seven, (1, 7)), C(192, (7, 1)))
    twice = (C(seven), C(seven, (7, 1)), C(seven, (1, 7)), C(seven, (7, 1)), C(192, (1, 7)))
    return ((C(192),), once, twice, ("avg", C(192)))


V3_D: Block = (
    (C(192), C(320, 3, 2, valid=True)),
    (C(192), C(192, (1, 7)), C(192, (7, 1)), C(192, 3, 2, valid=True)),
    ("max/2valid",),
)  # 17x17 to 8x8

WIDE_3 = Split(((C(384, (1, 3)),), (C(384, (3, 1)),)))
V3_E: Block = (
    (C(320),),
    (C(384), WIDE_3),
    (C(448), C(384, 3), WIDE_3),
    ("avg", C(192)),
)  # 8x8: 3x3 as 1x3 beside 3x1 (figure 7)

V4_A: Block = (
    (C(96),),
    (C(64), C(96, 3)),
    (C(64), C(96, 3), C(96, 3)),
    ("avg_inside", C(96)),
)
V4_REDUCTION_A: Block = (
    (C(384, 3, 2, valid=True),),
    (C(192), C(224, 3), C(256, 3, 2, valid=True)),
    ("max/2valid",),
)
V4_B: Block = (
    (C(384),),
    (C(192), C(224, (1, 7)), C(256, (7, 1))),
    (C(192), C(192, (7, 1)), C(224, (1, 7)), C(224, (7, 1)), C(256, (1, 7))),
    ("avg_inside", C(128)),
)
V4_REDUCTION_B: Block = (
    (C(192), C(192, 3, 2, valid=True)),
    (C(256), C(256, (1, 7)), C(320, (7, 1)), C(320, 3, 2, valid=True)),
    ("max/2valid",),
)
WIDE_256 = Split(((C(256, (1, 3)),), (C(256, (3, 1)),)))
V4_C: Block = (
    (C(256),),
    (C(384), WIDE_256),
    (C(384), C(448, (3, 1)), C(512, (1, 3)), WIDE_256),
    ("avg_inside", C(256)),
)


class InceptionResidual(nn.Module):
    """Branches, a 1x1 convolution back to the input's channels, scaled down, added to the input (2016, section 3.2).

    Args:
        in_channels: of input and output.
        block: the branches.
        scale: of what is added; without it wide networks of this kind died early in training (section 3.3).
        last: no activation behind the addition.
    """

    def __init__(self, in_channels: int, block: Block, scale: float, *, last: bool = False) -> None:
        super().__init__()
        self.mixed, channels = inception(in_channels, block)
        self.project = nn.Conv2d(channels, in_channels, 1)
        self.scale = scale
        self.act = nn.Identity() if last else nn.ReLU()

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """The same shape."""
        return self.act(x + self.scale * self.project(self.mixed(x)))

    def extra_repr(self) -> str:
        """The scale of what is added."""
        return f"scale={self.scale}"


RESIDUAL_A: Block = ((C(32),), (C(32), C(32, 3)), (C(32), C(48, 3), C(64, 3)))
RESIDUAL_B: Block = ((C(192),), (C(128), C(160, (1, 7)), C(192, (7, 1))))
RESIDUAL_C: Block = ((C(192),), (C(192), C(224, (1, 3)), C(256, (3, 1))))


class ShrinkTo(nn.Module):
    """Average pooling as published where the map is large enough, then to a fixed side: for heads on maps of any size."""

    def __init__(self, kernel: int, stride: int, side: int) -> None:
        super().__init__()
        self.pool, self.fit = nn.AvgPool2d(kernel, stride), nn.AdaptiveAvgPool2d(side)
        self.least = (side - 1) * stride + kernel

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels side side"]:
        """The published pooling changes nothing for the second where sizes are as published."""
        return self.fit(self.pool(x) if min(x.shape[2:]) >= self.least else x)


def sequence(in_channels: int, blocks: Sequence[Block], norm: Norm, width: float) -> tuple[nn.Sequential, int]:
    """Blocks in a row, all channels multiplied by `width`, and how many channels come out."""
    made = []
    for block in blocks:
        module, in_channels = inception(in_channels, wider(block, width), norm)
        made.append(module)
    return nn.Sequential(*made), in_channels
