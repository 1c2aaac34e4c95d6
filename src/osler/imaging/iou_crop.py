"""SSD's crop, which keeps some object in sight (Liu et al. 2016, section 2.2), and what cleans up after crops."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Float

from osler.imaging.decode import Window
from osler.imaging.geometry import crop
from osler.imaging.transform import sample_transforms
from osler.structures.sample import Sample

Overlap = Annotated[float, Ge(0), Le(1)]
Side = Annotated[float, Gt(0), Le(1)]
TRIES = 50  # windows tried before another overlap is drawn, as in the authors' code
ROUNDS = 4  # overlaps drawn before the whole picture is taken


@sample_transforms.register("iou_crop")
@dataclass(frozen=True)
class IoUCrop:
    """The whole picture, a part whose IoU with some object is at least a drawn minimum, or any part, with equal odds.

    A part's sides are shares of the picture's from `sides`, their ratio within `ratio`; the paper says 0.1 to 1 of the
    size, which its code reads as 0.3 to 1 of each side. Objects stay whose middle is in the part, cut to it. A picture
    without objects stays whole.
    """

    minima: tuple[Overlap, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    sides: tuple[Side, Side] = (0.3, 1.0)
    ratio: Annotated[float, Gt(0), Le(1)] = 0.5  # width to height, from this to its inverse
    any_part: bool = True  # whether a part without a minimum is among the choices

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """A part of the sample, or all of it."""
        if sample.objects is None or sample.objects.ignored.all():
            return sample
        boxes, ignored = sample.objects.boxes.astype(np.float64), sample.objects.ignored
        height, width = sample.image.shape[:2]
        choices: Sequence[float | None] = (None, *self.minima, *((0.0,) if self.any_part else ()))
        for _ in range(ROUNDS):
            least = choices[int(rng.integers(len(choices)))]
            if least is None:
                return sample
            window = self._find(boxes[~ignored], height, width, least, rng)
            if window is not None:
                # What is to be ignored stays as far as it shows: dropped, its pixels would be background.
                kept = sample.objects.select(_middle_inside(boxes, window) | ignored)
                return crop(replace(sample, objects=kept), window)
        return sample

    def _find(
        self, boxes: Float[np.ndarray, "objects 4"], height: int, width: int, least: float, rng: np.random.Generator
    ) -> Window | None:
        low, high = self.sides
        for _ in range(TRIES):
            wide, tall = (round(side * (low + (high - low) * rng.random())) for side in (width, height))
            if wide < 1 or tall < 1 or not self.ratio <= wide / tall <= 1 / self.ratio:
                continue
            left, top = int(rng.random() * (width - wide + 1)), int(rng.random() * (height - tall + 1))
            window = (left, top, left + wide, top + tall)
            if window_overlaps(boxes, window).max() >= least and _middle_inside(boxes, window).any():
                return window
        return None


def window_overlaps(boxes: Float[np.ndarray, "objects 4"], window: Window) -> Float[np.ndarray, " objects"]:
    """The IoU of each box with a window."""
    low, high = np.maximum(boxes[:, :2], window[:2]), np.minimum(boxes[:, 2:], window[2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    area = (window[2] - window[0]) * (window[3] - window[1])
    return shared / (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + area - shared)


def _middle_inside(boxes: Float[np.ndarray, "objects 4"], window: Window) -> np.ndarray:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((middle > window[:2]) & (middle < window[2:])).all(1)


@sample_transforms.register("drop_small")
@dataclass(frozen=True)
class DropSmall:
    """Objects too small to be learnt are no longer asked for: what crops and small scales leave over."""

    side: Annotated[float, Ge(0)] = 2.0  # pixels: a shorter side is too small
    area: Annotated[float, Ge(0)] = 0.0  # square pixels of the box

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample without its smallest objects."""
        if sample.objects is None or len(sample.objects) == 0:
            return sample
        sides = sample.objects.boxes[:, 2:] - sample.objects.boxes[:, :2]
        kept = (sides.min(1) >= self.side) & (sides.prod(1) >= self.area)
        return sample if kept.all() else replace(sample, objects=sample.objects.select(kept))


def log_even(low: float, high: float, rng: np.random.Generator) -> float:
    """A number between two, as often in one octave as in another."""
    return math.exp(math.log(low) + (math.log(high) - math.log(low)) * rng.random())
