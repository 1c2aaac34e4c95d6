"""A part of the picture hidden, so that no single part is relied on.

Boxes and masks stay: the thing is there, only covered.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from osler.imaging.colour import Share
from osler.imaging.pad import Level
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample


@sample_transforms.register("random_erasing")
@dataclass(frozen=True)
class RandomErasing:
    """A rectangle of random size and shape filled with random values (Zhong et al. 2020, algorithm 1; its RE-R).

    The area is drawn evenly from `area` (shares of the picture's), the ratio of height to width evenly from `ratio` to
    1 / `ratio`; a rectangle that does not fit is drawn again, a hundred times at most.
    """

    probability: Share = 0.5
    area: tuple[Share, Share] = (0.02, 0.4)
    ratio: Annotated[float, Gt(0), Le(1)] = 0.3

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, perhaps with a rectangle hidden."""
        if rng.random() >= self.probability:
            return sample
        height, width, channels = sample.image.shape
        for _ in range(100):
            area = height * width * (self.area[0] + (self.area[1] - self.area[0]) * rng.random())
            ratio = self.ratio + (1 / self.ratio - self.ratio) * rng.random()
            tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            top, left = int(rng.random() * height), int(rng.random() * width)
            if tall and wide and top + tall <= height and left + wide <= width:
                image = sample.image.copy()
                noise = rng.integers(0, 256, (tall, wide, channels), dtype=np.uint8)
                image[top : top + tall, left : left + wide] = noise
                return sample.with_image(image)
        return sample


@sample_transforms.register("cutout")
@dataclass(frozen=True)
class Cutout:
    """A square of one grey, its middle anywhere, so that part of it may lie outside (DeVries and Taylor 2017)."""

    side: Annotated[int, Ge(1)] = 16  # pixels
    fill: Level = 128

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with a square hidden."""
        height, width = sample.image.shape[:2]
        top = int(rng.random() * height) - self.side // 2
        left = int(rng.random() * width) - self.side // 2
        image = sample.image.copy()
        image[max(0, top) : max(0, top + self.side), max(0, left) : max(0, left + self.side)] = self.fill
        return sample.with_image(image)
