"""What a depthwise-separable convolution saves, counted in the layers themselves: the example of VGG and MobileNet.

Howard et al. 2017 (section 3.1): for kernels of side k and n output channels it takes 1/n + 1/k^2 of the multiply-adds of
the convolution in whose place it stands.
"""

from dataclasses import dataclass

import torch

from osler.models.cost import multiply_adds
from osler.nn.convolution import conv
from osler.nn.depthwise_separable import depthwise_separable


@dataclass(frozen=True, slots=True)
class SeparableSaving:
    """Multiply-adds for one picture, counted while the layers run."""

    full: int
    depthwise: int
    pointwise: int
    formula: float  # 1/n + 1/k^2

    @property
    def separable(self) -> int:
        """Of both parts."""
        return self.depthwise + self.pointwise

    @property
    def ratio(self) -> float:
        """Of the separable convolution to the full one."""
        return self.separable / self.full


def separable_saving(
    in_channels: int = 64, out_channels: int = 128, *, kernel: int = 3, side: int = 112
) -> SeparableSaving:
    """Both convolutions on the same map; by default that of the example, 64 channels of 112x112 positions to 128.

    Args:
        in_channels: of the map.
        out_channels: n.
        kernel: odd side k.
        side: of the map in positions.
    """
    with torch.device("meta"):  # counted from shapes: no weights are made
        block = depthwise_separable(in_channels, out_channels, kernel)
        layers = [
            (conv(in_channels, out_channels, kernel), in_channels),
            (block.get_submodule("depthwise.conv"), in_channels),
            (block.get_submodule("pointwise.conv"), in_channels),
        ]
        full, depthwise, pointwise = (multiply_adds(layer, channels, (side, side)) for layer, channels in layers)
    return SeparableSaving(full, depthwise, pointwise, 1 / out_channels + 1 / kernel**2)


def saving_text(saving: SeparableSaving) -> str:
    """The numbers to be read."""
    lines = [
        f"full convolution             {saving.full:>15,} multiply-adds",
        f"depthwise + pointwise        {saving.separable:>15,} ({saving.depthwise:,} + {saving.pointwise:,})",
        f"ratio                        {saving.ratio:>15.4f} (1/n + 1/k^2 = {saving.formula:.4f})",
        f"as a fraction                {'1/' + format(1 / saving.ratio, '.2f'):>15}",
    ]
    return "\n".join(lines)
