"""Cutting a part out of a picture: the middle, a place at random, or a part of random size and shape."""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le
from jaxtyping import UInt8

from osler.imaging.decode import EncodedPicture, Window, aligned, reduction
from osler.imaging.fit import border, centred
from osler.imaging.geometry import crop, cut_truth, pad_truth, resize_truth
from osler.imaging.resize import Pixels, resize
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample


def grow_to(sample: Sample, size: tuple[int, int], fill: int = 0) -> Sample:
    """The sample with a border of one grey around it where it is smaller than `size` (height, width)."""
    height, width, channels = sample.image.shape
    tall, wide = max(height, size[0]), max(width, size[1])
    if (tall, wide) == (height, width):
        return sample
    top, left = (tall - height) // 2, (wide - width) // 2
    image = border(sample.image, top, tall - height - top, left, wide - width - left, [fill] * channels)
    return pad_truth(sample, image, top, left)


@sample_transforms.register("center_crop")
@dataclass(frozen=True)
class CenterCrop:
    """The middle of the picture; a picture that is smaller gets a black border first."""

    size: tuple[Pixels, Pixels]  # height, width

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample's middle."""
        sample = grow_to(sample, self.size)
        height, width = sample.image.shape[:2]
        return crop(sample, centred(height, width, *self.size))


@sample_transforms.register("random_crop")
@dataclass(frozen=True)
class RandomCrop:
    """A part of that size from anywhere in the picture; a picture that is smaller gets a black border first."""

    size: tuple[Pixels, Pixels]  # height, width

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """A part of the sample."""
        sample = grow_to(sample, self.size)
        height, width = sample.image.shape[:2]
        top = int(rng.random() * (height - self.size[0] + 1))
        left = int(rng.random() * (width - self.size[1] + 1))
        return crop(sample, (left, top, left + self.size[1], top + self.size[0]))


@sample_transforms.register("random_resized_crop")
@dataclass(frozen=True)
class RandomResizedCrop:
    """A part of random size and shape, resized: Inception's crop (Szegedy et al. 2014, section 6).

    The area is drawn evenly from `scale` (shares of the picture's), the ratio of width to height log-evenly from
    `ratio`, the place evenly; after ten draws that do not fit, the middle with the nearest allowed ratio. Where a JPEG
    could be decoded at a half or less, corners are moved to whole pixels of the smaller picture: by less than one pixel
    of the output.
    """

    size: tuple[Pixels, Pixels]  # height, width
    scale: tuple[Annotated[float, Gt(0), Le(1)], Annotated[float, Gt(0), Le(1)]] = (0.08, 1.0)
    ratio: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] = (3 / 4, 4 / 3)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """A part of the sample, at `size`."""
        window = self.choose(sample.image.shape[0], sample.image.shape[1], rng)
        x1, y1, x2, y2 = window
        return self._finish(sample, sample.image[y1:y2, x1:x2], window)

    def open(self, picture: EncodedPicture, sample: Sample, rng: np.random.Generator) -> Sample:
        """The same from a file, decoding only what is needed (see `open_sample`)."""
        x1, y1, x2, y2 = window = self.choose(picture.height, picture.width, rng)
        return self._finish(sample, picture.read(window, picture.step((y2 - y1, x2 - x1), self.size)), window)

    def choose(self, height: int, width: int, rng: np.random.Generator) -> Window:
        """A window of a picture of that size, aligned for the largest reduction that a JPEG of it may be decoded at."""
        window = self._draw(height, width, rng)
        return aligned(window, reduction((window[3] - window[1], window[2] - window[0]), self.size))

    def _draw(self, height: int, width: int, rng: np.random.Generator) -> Window:
        (small, large), (low, high) = self.scale, (math.log(r) for r in self.ratio)
        for _ in range(10):
            area = height * width * (small + (large - small) * rng.random())
            ratio = math.exp(low + (high - low) * rng.random())
            wide, tall = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < wide <= width and 0 < tall <= height:
                left = int(rng.random() * (width - wide + 1))
                top = int(rng.random() * (height - tall + 1))
                return left, top, left + wide, top + tall
        ratio = min(max(width / height, self.ratio[0]), self.ratio[1])
        return centred(height, width, min(height, round(width / ratio)), min(width, round(height * ratio)))

    def _finish(self, sample: Sample, pixels: UInt8[np.ndarray, "height width channels"], window: Window) -> Sample:
        return resize_truth(cut_truth(sample, window), resize(pixels, self.size))
