"""The path aggregation network's neck (Liu et al. 2018, "Path aggregation network for instance segmentation", section 3.1).

A feature pyramid hands down what coarse maps know; what fine ones know of edges reaches the top only through the whole
backbone. A second, short way up mends that: from the finest level on, a 3x3 convolution with stride 2 halves the map, the
pyramid's next level is added, and another 3x3 convolution smooths the sum. ReLU follows each of them.
"""

from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.feature_pyramid import Extra, FeaturePyramid

Maps = list[Float[Tensor, "batch channels height width"]]


class PathAggregation(nn.Module):
    """A feature pyramid, and a way up again over its levels.

    Args:
        in_channels: of the backbone's maps, finest first.
        channels: of every level.
        extra: as of the pyramid; the way up leads over its further levels too.
        strides: of the backbone's maps; those of all levels are then in `self.strides`.
    """

    def __init__(
        self, in_channels: Sequence[int], channels: int = 256, *, extra: Extra = "none", strides: Sequence[int]
    ) -> None:
        super().__init__()
        self.pyramid = FeaturePyramid(in_channels, channels, extra=extra, strides=strides)
        self.strides, self.channels = self.pyramid.strides, self.pyramid.channels
        steps = range(len(self.strides) - 1)
        self.down = nn.ModuleList(_rectified(channels, stride=2) for _ in steps)
        self.smooth = nn.ModuleList(_rectified(channels, stride=1) for _ in steps)

    def forward(self, maps: Maps) -> Maps:
        """The levels, finest first: the finest is the pyramid's own."""
        pyramid = cast(Maps, self.pyramid(maps))
        levels = pyramid[:1]
        for down, smooth, level in zip(self.down, self.smooth, pyramid[1:], strict=True):
            levels.append(smooth(down(levels[-1]) + level))
        return levels


def _rectified(channels: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return nn.Sequential(conv, nn.ReLU())
