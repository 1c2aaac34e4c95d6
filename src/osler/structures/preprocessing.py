"""Preprocessing: how a picture becomes a network's input. Part of the model's artefact: every verb treats pictures alike."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

Fit = Literal["stretch", "crop", "pad"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What must happen to a decoded picture before the network sees it, and what the network's outputs are called."""

    size: tuple[int, int] = (224, 224)  # height, width in pixels
    channels: Literal[1, 3] = 3  # grey or RGB
    fit: Fit = "crop"  # how the picture's shape becomes the network's: stretch; short side then centre crop; letter-box
    crop_fraction: float = 1.0  # fit="crop": the crop's share of the resized short side (224 of 256 is 0.875)
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)  # of each channel, pictures in [0, 1]
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    mirror: bool = False  # answers are the mean over the picture and its mirror image
    names: tuple[str, ...] = ()  # of the outputs: classes, labels or numbers

    def standardise(
        self, images: UInt8[Tensor, "batch channels height width"] | Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Bytes 0 to 255 become (x / 255 - mean) / std as float32 on their device; floats pass unchanged."""
        standardised: Tensor = Standardise(self.mean, self.std).to(images.device)(images)
        return standardised

    def to_dict(self) -> dict[str, Any]:
        """As plain lists and numbers, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`, also after a trip through JSON."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)


class Standardise(nn.Module):
    """Bytes 0 to 255 to (x / 255 - mean) / std on the device; floats pass. The constants live on the device once."""

    shift: Tensor
    scale: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        spread = torch.tensor(std).view(1, -1, 1, 1) * 255
        self.register_buffer("scale", 1 / spread)
        self.register_buffer("shift", -torch.tensor(mean).view(1, -1, 1, 1) * 255 / spread)

    def forward(self, images: Tensor) -> Tensor:
        """Standardised pictures of shape (batch, channels, height, width)."""
        if images.is_floating_point():
            return images
        return torch.addcmul(self.shift, images, self.scale)
