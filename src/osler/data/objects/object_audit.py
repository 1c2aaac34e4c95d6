"""What an audit says about the objects in pictures: how many of which class, how large, and of which shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from osler.data.picture_facts import PictureFacts
from osler.data.ranges import Range, range_of

SMALL, LARGE = 32**2, 96**2  # square pixels: COCO's borders of small, medium and large


@dataclass(frozen=True, slots=True)
class ObjectAudit:
    """Counts and ranges of the objects in the pictures that can be read. Sizes are of boxes, in pixels."""

    counts: Mapping[str, Mapping[str, int]]  # part -> class -> objects
    without: Mapping[str, int]  # part -> pictures without objects
    sizes: Mapping[str, Mapping[str, int]]  # part -> small, medium, large -> objects
    per_picture: Range | None
    widths: Range | None
    heights: Range | None
    aspects: Range | None  # width to height
    crowds: int
    difficult: int
    masks: bool  # whether objects have outlines

    @property
    def total(self) -> int:
        """Objects in all parts."""
        return sum(sum(counts.values()) for counts in self.counts.values())


def audit_objects(
    facts: Sequence[PictureFacts], parts: Sequence[str], names: Sequence[str], *, masks: bool
) -> ObjectAudit:
    """What the pictures' objects are, part by part."""
    by_part = {part: [f.objects for f in facts if f.part == part and f.objects is not None] for part in parts}
    every = [objects for found in by_part.values() for objects in found]
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(o.boxes for o in every)]).astype(np.float64)
    wide, tall = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    solid = (wide > 0) & (tall > 0)
    return ObjectAudit(
        counts={part: _counts([o.labels for o in found], names) for part, found in by_part.items()},
        without={part: sum(len(o) == 0 for o in found) for part, found in by_part.items()},
        sizes={part: _sizes([o.boxes for o in found]) for part, found in by_part.items()},
        per_picture=range_of([len(o) for o in every]),
        widths=range_of(wide.tolist()),
        heights=range_of(tall.tolist()),
        aspects=range_of((wide[solid] / tall[solid]).tolist()),
        crowds=sum(0 if o.crowd is None else int(o.crowd.sum()) for o in every),
        difficult=sum(0 if o.difficult is None else int(o.difficult.sum()) for o in every),
        masks=masks,
    )


def _counts(labels: Sequence[np.ndarray], names: Sequence[str]) -> dict[str, int]:
    found = np.bincount(np.concatenate([np.zeros(0, np.int64), *labels]), minlength=len(names))
    return dict(zip(names, found.tolist(), strict=True))


def _sizes(boxes: Sequence[np.ndarray]) -> dict[str, int]:
    every = np.concatenate([np.zeros((0, 4), np.float32), *boxes]).astype(np.float64)
    area = (every[:, 2] - every[:, 0]) * (every[:, 3] - every[:, 1])
    small, large = int((area < SMALL).sum()), int((area > LARGE).sum())
    return {"small": small, "medium": len(area) - small - large, "large": large}
