"""Mosaic: four pictures in one (Bochkovskiy et al. 2020, YOLOv4, section 3.4).

Objects are seen smaller, out of their surroundings, and four pictures are in every batch normalisation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from osler.imaging.colour import Share, to_channels
from osler.imaging.gathering import join_objects, lay_out
from osler.imaging.geometry import OUTSIDE, resize_truth
from osler.imaging.iou_crop import log_even
from osler.imaging.pad import Level
from osler.imaging.resize import Pixels, resize
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Objects, Sample

Part = Annotated[float, Gt(0), Le(1)]
QUARTER = 0.25  # the middle of the mosaic keeps so far from each side


@sample_transforms.register("mosaic")
@dataclass(frozen=True)
class Mosaic:
    """Four pictures around a point drawn from the middle half of the canvas, each with a corner there.

    Each is brought to the canvas' size in its own shape, times a factor drawn log-evenly from `scale`, and cut off at
    the canvas' edges; what none covers is grey.
    """

    size: tuple[Pixels, Pixels]  # height, width of the canvas
    probability: Share = 1.0
    scale: tuple[Part, Annotated[float, Gt(0)]] = (0.5, 1.2)
    visible: Annotated[float, Ge(0), Le(1)] = 0.1  # objects of which a smaller share is left are dropped
    fill: Level = 114

    @property
    def partners(self) -> int:
        """Three pictures beside the sample's own."""
        return 3

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample as it is: alone it makes no mosaic."""
        return sample

    def gather(self, sample: Sample, others: Sequence[Sample], rng: np.random.Generator) -> Sample:
        """Four samples in one; its class, index and path are the first one's."""
        if rng.random() >= self.probability or len(others) < self.partners:
            return sample
        height, width = self.size
        x = round(width * (QUARTER + (1 - 2 * QUARTER) * rng.random()))
        y = round(height * (QUARTER + (1 - 2 * QUARTER) * rng.random()))
        channels = sample.image.shape[2]
        image = np.full((height, width, channels), self.fill, np.uint8)
        labelled = all(s.segmentation is not None for s in (sample, *others))
        classes = np.full(self.size, OUTSIDE, np.int64) if labelled else None
        groups: list[Objects] = []
        for place, one in enumerate((sample, *others)):
            scaled = self._scaled(one, channels, rng)
            tall, wide = scaled.image.shape[:2]
            top, left = (y - tall, y)[place // 2], (x - wide, x)[place % 2]
            part = lay_out(scaled, self.size, top, left, visible=self.visible)
            if part is None:
                continue
            rows, columns = slice(max(0, top), top + tall), slice(max(0, left), left + wide)
            image[rows, columns] = part.image
            if classes is not None and part.segmentation is not None:
                classes[rows, columns] = part.segmentation[rows, columns]
            if part.objects is not None:
                groups.append(part.objects)
        return replace(
            sample,
            image=image,
            objects=join_objects(groups) if groups else sample.objects,
            segmentation=classes if labelled else sample.segmentation,
        )

    def _scaled(self, sample: Sample, channels: int, rng: np.random.Generator) -> Sample:
        """A picture that fits into the canvas, times a factor."""
        height, width = sample.image.shape[:2]
        factor = min(self.size[0] / height, self.size[1] / width) * log_even(*self.scale, rng)
        size = max(1, round(height * factor)), max(1, round(width * factor))
        return resize_truth(sample, resize(to_channels(sample.image, 3 if channels == 3 else 1), size))
