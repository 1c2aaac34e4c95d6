"""Blur: a picture out of focus."""

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from annotated_types import Gt

from osler.imaging.colour import Share
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample

Sigma = Annotated[float, Gt(0)]


@sample_transforms.register("gaussian_blur")
@dataclass(frozen=True)
class GaussianBlur:
    """A share of the pictures blurred with a Gaussian whose spread, in pixels, is drawn evenly from `sigma`."""

    sigma: tuple[Sigma, Sigma] = (0.1, 2.0)
    probability: Share = 0.5

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, perhaps blurred."""
        if rng.random() >= self.probability:
            return sample
        sigma = self.sigma[0] + (self.sigma[1] - self.sigma[0]) * rng.random()
        blurred = cv2.GaussianBlur(sample.image, (0, 0), sigmaX=sigma, borderType=cv2.BORDER_REFLECT_101)
        return sample.with_image(blurred.reshape(sample.image.shape))
