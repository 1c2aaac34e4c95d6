"""Masks that lie elsewhere than their boxes."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="masks-off-boxes",
    category="data",
    phase="before",
    title="Masks do not fit their boxes",
    symptom="Boxes are learnt, masks are not: the mask loss stays where it began, and masks are blobs or empty.",
    cause=(
        "A mask head is taught the part of the mask that lies in the object's box. Where masks are in another order than boxes, "
        "were not resized, mirrored or cropped with them, or are empty, it is taught background."
    ),
    seen_by=(
        "of a tenth of the masks, and at least 3, nothing is set, or the box around what is set overlaps the object's box by an "
        "IoU under 0.3; masks of other sizes than their picture are not compared"
    ),
    remedies=(
        Remedy(
            "make the boxes from the masks",
            "After all changes to the picture take the boxes from the masks (masks_to_boxes), and drop empty masks with their "
            "boxes.",
        ),
        Remedy("keep the order", "Sort or filter boxes, labels and masks by the same index."),
    ),
    sources=(
        "He et al. 2017, Mask R-CNN, section 3: the mask's target is its intersection with the region",
        "the doctor's own calibration of the overlap",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the box around each mask that was read with its object's box."""
    objects = case.objects
    table = objects.train
    if table.mask_boxes is None:
        raise NotSeen("no masks of objects were seen")
    if not objects.readable:
        return
    boxes, around = objects.corners, table.mask_boxes
    area = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    read = ~np.all(around == -1, axis=1) & table.counted & (area >= thresholds.MASK_SMALLEST)
    if not read.any():
        return
    empty = read & np.isnan(around).any(axis=1)
    off = read & ~empty & (_overlap(boxes, np.nan_to_num(around)) < thresholds.MASK_IOU)
    wrong, total = int((empty | off).sum()), int(read.sum())
    if not wrong:
        return
    row = int(np.flatnonzero(empty | off)[0])
    there = "its mask is empty" if empty[row] else f"its mask spans ({', '.join(f'{v:g}' for v in around[row])})"
    enough = wrong >= thresholds.MASKS_LEAST and wrong >= thresholds.MASKS_OFF * total
    yield FAULT.found(
        f"{int(off.sum()):,} of {total:,} masks looked at lie elsewhere than their boxes (IoU under {thresholds.MASK_IOU:g}), and "
        f"{int(empty.sum()):,} are empty; such as {table.example(row)}: {there}",
        severity="critical" if enough and wrong > 0.5 * total else "warning" if enough else "note",
        where=objects.where(),
        certainty=0.93,
    )


def _overlap(
    boxes: Float[np.ndarray, "objects 4"], others: Float[np.ndarray, "objects 4"]
) -> Float[np.ndarray, " objects"]:
    """Intersection over union of boxes with those of the same row."""
    low, high = np.maximum(boxes[:, :2], others[:, :2]), np.minimum(boxes[:, 2:], others[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = [np.prod(np.clip(b[:, 2:] - b[:, :2], 0, None), axis=1) for b in (boxes, others)]
    return np.asarray(common / np.maximum(areas[0] + areas[1] - common, 1e-9))
