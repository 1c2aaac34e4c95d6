"""Mirror images."""

from dataclasses import dataclass

import numpy as np

from osler.imaging.colour import Share
from osler.imaging.geometry import flip
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample


@sample_transforms.register("horizontal_flip")
@dataclass(frozen=True)
class HorizontalFlip:
    """Left and right exchanged, in a share of the pictures."""

    probability: Share = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample or its mirror image."""
        return flip(sample, horizontal=True) if rng.random() < self.probability else sample


@sample_transforms.register("vertical_flip")
@dataclass(frozen=True)
class VerticalFlip:
    """Top and bottom exchanged, in a share of the pictures."""

    probability: Share = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample or its mirror image."""
        return flip(sample, horizontal=False) if rng.random() < self.probability else sample
