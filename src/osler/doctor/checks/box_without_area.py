"""Boxes without width or height."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="box-without-area",
    category="data",
    phase="before",
    title="Boxes have no area",
    symptom="The box loss becomes infinite or NaN, or the detector stops with an error about its targets.",
    cause=(
        "A box whose sides coincide overlaps nothing: no anchor can answer for it, and the logarithm of its width, which "
        "box regression is taught, is minus infinity. They come from points, from rounding, and from crops that cut an object "
        "off but keep its box."
    ),
    seen_by="a box with equal left and right, or top and bottom; rows that only fill up a table are no boxes",
    remedies=(
        Remedy(
            "drop them",
            "Keep only boxes with an area: keep = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]), with labels and "
            "masks alike, after all cropping.",
        ),
        Remedy("correct them", "Look at these annotations: points may have been meant as small boxes."),
    ),
    sources=(
        "Girshick et al. 2014, R-CNN, appendix C: widths and heights are regressed as logarithms",
        "torchvision, models.detection: targets with degenerate boxes are refused",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks for sides of length 0 in what was taught, and at what the reader left out."""
    objects = case.objects
    if left_out := objects.seen.faults["no area"]:
        yield FAULT.found(
            f"{left_out:,} annotated boxes have no area and are left out, such as {objects.seen.fault_examples.get('no area', '')}",
            severity="warning" if left_out >= thresholds.BAD_BOXES_GRAVE * (left_out + objects.annotated) else "note",
            certainty=0.95,
            change="Correct or delete these annotations; `osler data` lists them all.",
        )
    if not objects.readable:
        return
    table = objects.train
    sides = table.values[:, 2:] - table.values[:, :2] if objects.form.layout == "corners" else table.values[:, 2:]
    flat = np.any(sides == 0, axis=1) & np.all(sides >= 0, axis=1) & table.counted
    if not flat.any():
        return
    share = float(flat.sum() / table.counted.sum())
    yield FAULT.found(
        f"{int(flat.sum()):,} of {int(table.counted.sum()):,} boxes have no area, such as "
        f"{table.example(int(np.flatnonzero(flat)[0]))}",
        severity="critical"
        if share >= thresholds.BAD_BOXES_GRAVE
        else "warning"
        if share >= thresholds.BAD_BOXES
        else "note",
        where=objects.where(),
        certainty=0.96,
    )
