"""The last stage of MobileNetV3 beside the one that it replaced: what pooling before the widest layer saves.

Howard et al. 2019 (section 5.1, figure 5). In MobileNetV2's order the last block narrows 960 channels to 320, and a 1x1
convolution widens them to 1280 on the whole 7x7 map before the mean is taken. MobileNetV3 takes the mean of the 960
channels at once, and widens them where only one position is left; the last depthwise convolution and the narrowing layer
are then needed no more. The paper speaks of 30 million multiply-adds fewer and 11 % of the time.
"""

from dataclasses import dataclass

import torch
from torch import nn

from osler.models.cost import multiply_adds
from osler.models.mobilenet_v3 import MobileNetV3
from osler.models.registry import create_model
from osler.nn.convolution import conv_norm_act
from osler.nn.inverted_residual import InvertedResidual


@dataclass(frozen=True, slots=True)
class LastStages:
    """Multiply-adds for one picture from the last map (160 channels) to the raw outputs."""

    old: int
    new: int

    @property
    def saved(self) -> int:
        """How many fewer the new one needs."""
        return self.old - self.new


def last_stages(*, side: int = 7, num_classes: int = 1000) -> LastStages:
    """Counts both; the new one is that of our `mobilenet_v3_large`.

    Args:
        side: of the last map in positions; 7 for pictures of 224 pixels.
        num_classes: raw outputs.
    """
    with torch.device("meta"):
        channels, old = 160, old_last_stage(160, num_classes)
        new = new_last_stage(num_classes)
        size = (side, side)
        return LastStages(multiply_adds(old, channels, size), multiply_adds(new, channels, size))


def old_last_stage(channels: int, num_classes: int) -> nn.Sequential:
    """MobileNetV2's order with MobileNetV3's channels."""
    act = nn.Hardswish
    block = InvertedResidual(channels, 6 * channels, 320, act=act)
    return nn.Sequential(
        block, conv_norm_act(320, 1280, 1, act=act), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, num_classes)
    )


def new_last_stage(num_classes: int) -> nn.Sequential:
    """What follows the last block of `mobilenet_v3_large`."""
    net = create_model("mobilenet_v3_large", num_classes=num_classes)
    assert isinstance(net, MobileNetV3)
    return nn.Sequential(net.last, net.average, nn.Flatten(), net.hidden, net.act, net.dropout, net.head)
