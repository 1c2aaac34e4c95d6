"""The feature pyramid (Lin et al. 2017, "Feature pyramid networks for object detection", section 3).

Each map of the backbone is brought to one number of channels by a 1x1 convolution; from the coarsest down, the map above is
enlarged twofold by nearest neighbours and added; a 3x3 convolution smooths what that left uneven. Coarser levels follow on
top, either by maximum pooling with stride 2 (FPN's P6, for proposals) or by two 3x3 convolutions with stride 2 (RetinaNet's
P6 and P7, Lin et al. 2017, "Focal loss", section 4; there the first looks at the backbone's last map, here at the pyramid's, as
the public weights do).
"""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Maps = list[Float[Tensor, "batch channels height width"]]
Extra = Literal["none", "pool", "convolutions"]


class FeaturePyramid(nn.Module):
    """Maps of equal depth, each with what the coarser ones know.

    Args:
        in_channels: of the backbone's maps, finest first.
        channels: of every level.
        extra: coarser levels on top: none, one by pooling, or two by convolutions.
        strides: of the backbone's maps; those of all levels are then in `self.strides`.
    """

    def __init__(
        self, in_channels: Sequence[int], channels: int = 256, *, extra: Extra = "none", strides: Sequence[int]
    ) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in in_channels)
        self.layer_blocks = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels)
        self.extra = extra
        if extra == "convolutions":
            self.p6 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
            self.p7 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        more = {"none": 0, "pool": 1, "convolutions": 2}[extra]
        self.strides = (*strides, *(strides[-1] * 2 ** (i + 1) for i in range(more)))
        self.channels = (channels,) * len(self.strides)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, maps: Maps) -> Maps:
        """The pyramid's levels, finest first."""
        inner = [block(m) for block, m in zip(self.inner_blocks, maps, strict=True)]
        for i in range(len(inner) - 2, -1, -1):
            inner[i] = inner[i] + F.interpolate(inner[i + 1], size=inner[i].shape[-2:], mode="nearest")
        levels = [block(m) for block, m in zip(self.layer_blocks, inner, strict=True)]
        if self.extra == "pool":
            levels.append(F.max_pool2d(levels[-1], 1, stride=2))
        elif self.extra == "convolutions":
            levels.append(self.p6(levels[-1]))
            levels.append(self.p7(F.relu(levels[-1])))
        return levels
