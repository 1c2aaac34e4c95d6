"""VGG-16 as SSD sees it, and the small maps that SSD lays on any backbone (Liu et al. 2016, section 3 and figure 2).

The last pooling keeps the resolution, and the first two fully connected layers become a dilated convolution and a 1x1 one.
The map of conv4_3 is of another magnitude than all others: at each position its channels are scaled to length 1, and each
by a learnt factor that starts at 20 (section 3.1, after Liu et al. 2015, "ParseNet").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.registry import create_model
from osler.nn.initialisation import he_initialise
from osler.nn.width import scaled

Maps = list[Float[Tensor, "batch channels height width"]]

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
FIRST_LENGTH = 20.0
FULLY_CONNECTED = 1024  # channels of the two layers that were fully connected


class SsdVgg(nn.Module):
    """Two maps: conv4_3 at stride 8 and fc7 at stride 16. Channels and strides of both are attributes.

    Args:
        in_channels: of the pictures.
        width: multiplies all channels.
    """

    def __init__(self, in_channels: int = 3, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for i, stage in enumerate(STAGES):
            if i > 0:
                layers.append(nn.MaxPool2d(2, ceil_mode=i == 3))  # 75 positions become 38
            for out in stage:
                layers += _conv(channels, scaled(out, width))
                channels = scaled(out, width)
        self.features = nn.Sequential(*layers)
        self.scale_weight = nn.Parameter(torch.full((channels,), FIRST_LENGTH))
        self.pool4 = nn.MaxPool2d(2)
        self.conv5 = nn.Sequential(*(m for _ in range(3) for m in _conv(channels, channels)))
        self.pool5 = nn.MaxPool2d(3, stride=1, padding=1)
        wide = scaled(FULLY_CONNECTED, width)
        self.fc6, self.relu6 = nn.Conv2d(channels, wide, 3, padding=6, dilation=6), nn.ReLU()
        self.fc7, self.relu7 = nn.Conv2d(wide, wide, 1), nn.ReLU()
        self.channels, self.strides = (channels, wide), (8, 16)
        he_initialise(self)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Maps:
        """Both maps of standardised pictures."""
        fine = self.features(images)
        x = self.pool5(self.conv5(self.pool4(fine)))
        coarse = self.relu7(self.fc7(self.relu6(self.fc6(x))))
        return [F.normalize(fine.float()).to(fine.dtype) * self.scale_weight[:, None, None], coarse]

    @torch.no_grad()
    def start_from(self, weights: str, in_channels: int) -> None:
        """The convolutions of a trained VGG-16; every third row and column, and every fourth unit, of fc6 and fc7.

        Thinned out and dilated, fc6 still sees what it saw (section 3, "Base network", after Chen et al. 2015, "DeepLab").
        """
        trained = create_model("vgg16", num_classes=1000, in_channels=in_channels, weights=weights)
        own = [m for m in (*self.features, *self.conv5) if isinstance(m, nn.Conv2d)]
        sources = [m for m in trained.features if isinstance(m, nn.Conv2d)]  # type: ignore[union-attr]
        for layer, source in zip(own, sources, strict=True):
            layer.load_state_dict(source.state_dict())
        first, second = [m for m in trained.classifier if isinstance(m, nn.Linear)][:2]  # type: ignore[union-attr]
        self.fc6.weight.copy_(first.weight.reshape(4096, 512, 7, 7)[::4, :, ::3, ::3])
        self.fc7.weight.copy_(second.weight[::4, ::4, None, None])
        for layer, linear in ((self.fc6, first), (self.fc7, second)):
            layer.bias.copy_(linear.bias[::4])  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class Extra:
    """A further level: a 1x1 convolution to `inside` channels, and one of `kernel` to `out` channels."""

    inside: int
    out: int
    kernel: int = 3
    stride: int = 2
    padding: int = 1


class FurtherMaps(nn.Module):
    """The maps of a backbone, and ever smaller ones made from its coarsest.

    Args:
        in_channels: of the backbone's maps, finest first; of all levels they are then in `self.channels`.
        extras: the further levels.
        norm: after each convolution, which then has no bias; None: none, as published.
        width: multiplies the channels of the further levels.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        extras: Sequence[Extra],
        norm: Callable[[int], nn.Module] | None = None,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        outs = [in_channels[-1], *(scaled(e.out, width) for e in extras)]
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *_conv(before, scaled(e.inside, width), 1, norm=norm),
                *_conv(scaled(e.inside, width), out, e.kernel, stride=e.stride, padding=e.padding, norm=norm),
            )
            for e, (before, out) in zip(extras, pairwise(outs), strict=True)
        )
        self.channels = (*in_channels, *outs[1:])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                start_evenly(module)

    def forward(self, maps: Maps) -> Maps:
        """All levels, finest first."""
        levels = list(maps)
        for block in self.blocks:
            levels.append(block(levels[-1]))
        return levels


def start_evenly(layer: nn.Conv2d) -> nn.Conv2d:
    """Weights of SSD's new layers, by Glorot and Bengio 2010; biases of 0."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _conv(
    in_channels: int,
    out_channels: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    padding: int | None = None,
    norm: Callable[[int], nn.Module] | None = None,
) -> list[nn.Module]:
    around = kernel // 2 if padding is None else padding
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, around, bias=norm is None)
    return [conv, *([] if norm is None else [norm(out_channels)]), nn.ReLU()]
