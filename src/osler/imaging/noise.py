"""Noise: what a sensor adds to every pixel, and what a broken line does to a few."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge
from jaxtyping import UInt8

from osler.imaging.colour import Share
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample

Image = UInt8[np.ndarray, "height width channels"]


def add_gaussian_noise(image: Image, std: float, rng: np.random.Generator) -> Image:
    """Independent normal noise on every channel of every pixel; `std` is a share of full scale. Clipped to 0 to 255."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noise *= np.float32(255 * std)
    noise += image
    return np.clip(np.rint(noise, out=noise), 0, 255, out=noise).astype(np.uint8)


def add_salt_and_pepper(image: Image, share: float, rng: np.random.Generator) -> Image:
    """A share of the pixels made white or black, as often the one as the other."""
    draw = rng.random(image.shape[:2], dtype=np.float32)
    noisy = image.copy()
    noisy[draw < share / 2] = 0
    noisy[(draw >= share / 2) & (draw < share)] = 255
    return noisy


@sample_transforms.register("gaussian_noise")
@dataclass(frozen=True)
class GaussianNoise:
    """Normal noise on a share of the pictures."""

    std: Annotated[float, Ge(0)] = 0.05  # share of full scale
    probability: Share = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, perhaps with noise."""
        if rng.random() >= self.probability:
            return sample
        return sample.with_image(add_gaussian_noise(sample.image, self.std, rng))


@sample_transforms.register("salt_and_pepper")
@dataclass(frozen=True)
class SaltAndPepper:
    """White and black dots on a share of the pictures."""

    share: Share = 0.02  # of the pixels
    probability: Share = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, perhaps with dots."""
        if rng.random() >= self.probability:
            return sample
        return sample.with_image(add_salt_and_pepper(sample.image, self.share, rng))
