"""The picture at a random scale on a canvas of fixed size: small things are seen large, large ones small."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from osler.imaging.gathering import lay_out
from osler.imaging.geometry import resize_truth
from osler.imaging.iou_crop import log_even
from osler.imaging.pad import Level
from osler.imaging.resize import Pixels, resize
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample

Factor = Annotated[float, Gt(0)]


@sample_transforms.register("scale_jitter")
@dataclass(frozen=True)
class ScaleJitter:
    """Resized to fit the canvas, times a random factor; then a random part of it, or all of it at a random place.

    0.8 to 1.25 is the usual jitter, 0.1 to 2 the large one (Ghiasi et al. 2021, section 3). Factors are drawn
    log-evenly; what the picture does not cover is grey.
    """

    size: tuple[Pixels, Pixels]  # height, width of the canvas
    scale: tuple[Factor, Factor] = (0.1, 2.0)
    visible: Annotated[float, Ge(0), Le(1)] = 0.1  # objects of which a smaller share is left are dropped
    fill: Level = 114

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample on its canvas."""
        height, width, channels = sample.image.shape
        factor = min(self.size[0] / height, self.size[1] / width) * log_even(*self.scale, rng)
        scaled = resize_truth(
            sample, resize(sample.image, (max(1, round(height * factor)), max(1, round(width * factor))))
        )
        tall, wide = scaled.image.shape[:2]
        top, left = (_offset(room, length, rng) for room, length in zip(self.size, (tall, wide), strict=True))
        part = lay_out(scaled, self.size, top, left, visible=self.visible)
        assert part is not None  # an offset leaves something on the canvas
        image = np.full((*self.size, channels), self.fill, np.uint8)
        image[max(0, top) : top + tall, max(0, left) : left + wide] = part.image
        return replace(part, image=image)


def _offset(room: int, length: int, rng: np.random.Generator) -> int:
    """Where something of that length begins in the room: within it, or so that it covers all of it."""
    low, high = min(0, room - length), max(0, room - length)
    return low + int(rng.random() * (high - low + 1))
