"""Channels, brightness, contrast, saturation, hue, grey: pure functions, and the transforms that draw their amounts.

Nothing here moves a pixel, so boxes and masks stay as they are. Grey pictures have neither saturation nor hue and pass
unchanged through those. The grey of a colour is ITU-R BT.601's: 0.299 R + 0.587 G + 0.114 B, as in OpenCV and Pillow.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
from annotated_types import Ge, Le
from jaxtyping import UInt8

from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample

Image = UInt8[np.ndarray, "height width channels"]
Amount = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
HalfTurn = Annotated[float, Ge(0), Le(180)]
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def to_channels(image: Image, channels: Literal[1, 3]) -> Image:
    """The picture in RGB or grey; the same array if it is already."""
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None]


def _scaled(image: Image, factor: float, shift: float) -> Image:
    """Levels times `factor` plus `shift`, rounded and clipped to 0 to 255, in half of a table's time."""
    scaled = cv2.addWeighted(image, factor, image, 0, shift)
    return scaled if scaled.ndim == 3 else scaled[:, :, None]


def adjust_brightness(image: Image, *, factor: float = 1.0, shift: float = 0.0) -> Image:
    """Light multiplied by `factor`, then moved by `shift` (a share of full scale: 0.1 adds 25.5 levels)."""
    return _scaled(image, factor, 255 * shift)


def adjust_contrast(image: Image, factor: float) -> Image:
    """Distances from the picture's mean grey multiplied by `factor`: 0 leaves one grey, 1 changes nothing."""
    if image.shape[2] == 3:
        red, green, blue, _ = cv2.mean(image)
        middle = 0.299 * red + 0.587 * green + 0.114 * blue
    else:
        middle = cv2.mean(image)[0]
    return _scaled(image, factor, middle * (1 - factor))


def adjust_saturation(image: Image, factor: float) -> Image:
    """Distances from each pixel's own grey multiplied by `factor`: 0 leaves grey (R = G = B), 1 changes nothing."""
    if image.shape[2] == 1:
        return image
    # One pass instead of three; OpenCV rounds in it a little worse: some pixels are one level off, none at a factor of 1.
    return cv2.transform(image, factor * np.eye(3, dtype=np.float32) + (1 - factor) * _GREY)


def rotate_hue(image: Image, degrees: float) -> Image:
    """Hues turned around HSV's circle (120 takes red to green), value and saturation kept; 360 changes nothing."""
    if image.shape[2] == 1 or degrees == 0:
        return image
    hsv = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2HSV)  # hue in degrees, value 0 to 255
    hsv[:, :, 0] = np.mod(hsv[:, :, 0] + degrees, 360)
    return np.clip(np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)), 0, 255).astype(np.uint8)


def around_one(rng: np.random.Generator, amount: float) -> float:
    """A factor drawn evenly from 1 - amount (not below 0) to 1 + amount."""
    low = max(0.0, 1 - amount)
    return low + (1 + amount - low) * rng.random()


@sample_transforms.register("brightness")
@dataclass(frozen=True)
class Brightness:
    """More or less light: added (`shift`, a share of full scale either way) and multiplied (`factor`, around 1)."""

    shift: Amount = 0.2
    factor: Amount = 0.0

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, lighter or darker."""
        shift = self.shift * (2 * rng.random() - 1)
        return sample.with_image(adjust_brightness(sample.image, factor=around_one(rng, self.factor), shift=shift))


@sample_transforms.register("contrast")
@dataclass(frozen=True)
class Contrast:
    """More or less contrast, by a factor drawn from 1 - amount to 1 + amount."""

    amount: Amount = 0.3

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with more or less contrast."""
        return sample.with_image(adjust_contrast(sample.image, around_one(rng, self.amount)))


@sample_transforms.register("saturation")
@dataclass(frozen=True)
class Saturation:
    """Stronger or paler colours, by a factor drawn from 1 - amount to 1 + amount."""

    amount: Amount = 0.3

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample in stronger or paler colours."""
        return sample.with_image(adjust_saturation(sample.image, around_one(rng, self.amount)))


@sample_transforms.register("hue")
@dataclass(frozen=True)
class Hue:
    """Other colours: hues turned by up to so many degrees either way."""

    degrees: HalfTurn = 18.0

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample in other colours."""
        return sample.with_image(rotate_hue(sample.image, self.degrees * (2 * rng.random() - 1)))


@sample_transforms.register("grayscale")
@dataclass(frozen=True)
class Grayscale:
    """Now and then a picture without colour, in as many channels as before."""

    probability: Share = 0.1

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, perhaps without colour."""
        if rng.random() >= self.probability:
            return sample
        return sample.with_image(adjust_saturation(sample.image, 0.0))


@sample_transforms.register("color_jitter")
@dataclass(frozen=True)
class ColorJitter:
    """Light, contrast, saturation and hue changed together, in an order drawn anew each time (Howard 2013, section 2).

    Brightness here multiplies, as is usual in this combination; `Brightness` can add as well. What is 0 is left out.
    """

    brightness: Amount = 0.2
    contrast: Amount = 0.2
    saturation: Amount = 0.2
    hue: HalfTurn = 0.0  # degrees

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample in other light."""
        steps = [
            Brightness(shift=0.0, factor=self.brightness) if self.brightness else None,
            Contrast(self.contrast) if self.contrast else None,
            Saturation(self.saturation) if self.saturation else None,
            Hue(self.hue) if self.hue else None,
        ]
        for i in rng.permutation(4):
            step = steps[i]
            sample = sample if step is None else step(sample, rng)
        return sample
