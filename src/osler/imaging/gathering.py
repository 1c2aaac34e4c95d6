"""Transforms that need other samples beside their own: mosaic, copy-paste.

Such a transform says how many others it wants (`partners`) and is given them by whoever reads the data set
(`data/reading.py`), drawn by the sample's own generator: a function of (seed, epoch, sample), like all else. The others
have gone through the same transforms before it. Called alone, as any transform, it has no others and gives the sample
as it is.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from osler.imaging.geometry import blank, crop, pad_truth
from osler.imaging.transform import SampleTransform
from osler.structures.sample import Objects, Sample


@runtime_checkable
class Gathers(SampleTransform, Protocol):
    """A transform that mixes a sample with others of its data set."""

    @property
    def partners(self) -> int:
        """How many others it wants."""
        ...

    def gather(self, sample: Sample, others: Sequence[Sample], rng: np.random.Generator) -> Sample:
        """The sample mixed with others; there may be fewer than it wants where pictures cannot be read."""
        ...


def join_objects(groups: Sequence[Objects]) -> Objects:
    """All objects of several groups in one picture. Masks are kept where every group that has objects has them."""
    full = [group for group in groups if len(group)] or list(groups[:1])
    masks = [group.masks for group in full if group.masks is not None]
    areas = [group.areas for group in full if group.areas is not None]
    return Objects(
        np.concatenate([group.boxes for group in full]),
        np.concatenate([group.labels for group in full]),
        np.concatenate(masks) if len(masks) == len(full) else None,
        crowd=_flags(full, "crowd"),
        difficult=_flags(full, "difficult"),
        areas=np.concatenate(areas) if len(areas) == len(full) else None,
    )


def _flags(groups: Sequence[Objects], name: str) -> np.ndarray | None:
    found = [getattr(group, name) for group in groups]
    if all(flags is None for flags in found):
        return None
    return np.concatenate(
        [np.zeros(len(g), bool) if flags is None else flags for g, flags in zip(groups, found, strict=True)]
    )


def lay_out(sample: Sample, size: tuple[int, int], top: int, left: int, *, visible: float = 0.0) -> Sample | None:
    """The truth of a sample whose picture lies `top` rows down and `left` columns in on a canvas of that size.

    What reaches over the canvas (also to the top and left: offsets may be negative) is cut off. The image given back is
    the part that shows, not the canvas; None where nothing does.

    Args:
        sample: to be laid out.
        size: height, width of the canvas.
        top: row of the canvas at which the picture begins.
        left: column at which it begins.
        visible: objects of which a smaller share of the box is left are dropped, but not those that are to be ignored.
    """
    height, width = sample.image.shape[:2]
    x1, y1 = max(0, -left), max(0, -top)
    x2, y2 = min(width, size[1] - left), min(height, size[0] - top)
    if x2 <= x1 or y2 <= y1:
        return None
    if sample.objects is not None and visible > 0:
        enough = _share(sample.objects, (x1, y1, x2, y2)) >= visible
        sample = replace(sample, objects=sample.objects.select(enough | sample.objects.ignored))
    shown = crop(sample, (x1, y1, x2, y2))
    laid = pad_truth(shown, blank(*size), top + y1, left + x1)
    return replace(laid, image=shown.image)


def _share(objects: Objects, window: tuple[int, int, int, int]) -> np.ndarray:
    """Which share of each box lies in a window."""
    boxes = objects.boxes.astype(np.float64)
    low, high = np.maximum(boxes[:, :2], window[:2]), np.minimum(boxes[:, 2:], window[2:])
    left = np.prod(np.maximum(high - low, 0), axis=1)
    return left / np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1e-9)
