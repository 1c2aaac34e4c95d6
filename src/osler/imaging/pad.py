"""Borders: a fixed one, and CIFAR's pad-and-crop, which shifts the picture."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from osler.imaging.fit import border
from osler.imaging.geometry import crop_truth, pad_truth
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample

Width = Annotated[int, Ge(0)]
Level = Annotated[int, Ge(0), Le(255)]


@sample_transforms.register("pad")
@dataclass(frozen=True)
class Pad:
    """A border of one grey, or of the mirrored picture, all around."""

    padding: Width = 4  # pixels on each side
    fill: Level | Literal["reflect"] = 0

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with its border."""
        p, channels = self.padding, sample.image.shape[2]
        fill = self.fill if self.fill == "reflect" else [self.fill] * channels
        return pad_truth(sample, border(sample.image, p, p, p, p, fill), p, p)


@sample_transforms.register("pad_crop")
@dataclass(frozen=True)
class PadCrop:
    """A border all around, then a crop of the picture's own size from anywhere: a shift by up to `padding` pixels.

    He et al. 2016, section 4.2, for CIFAR-10: four pixels, black; mirrored pixels make no false edge.
    """

    padding: Width = 4  # pixels on each side
    fill: Level | Literal["reflect"] = "reflect"

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, moved."""
        p, (height, width, channels) = self.padding, sample.image.shape
        top, left = int(rng.random() * (2 * p + 1)), int(rng.random() * (2 * p + 1))
        fill = self.fill if self.fill == "reflect" else [self.fill] * channels
        padded = border(sample.image, p, p, p, p, fill)
        image = padded[top : top + height, left : left + width].copy()
        if sample.objects is None and sample.segmentation is None:
            return sample.with_image(image)
        return crop_truth(pad_truth(sample, padded, p, p), image, (left, top, left + width, top + height))
