"""Boxes that lie where their picture is not."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.objects_read import ObjectsRead
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="box-outside-picture",
    category="data",
    phase="before",
    title="Boxes lie outside their pictures",
    symptom="The box losses stay high, and objects are found shifted, at the edges, or not at all.",
    cause=(
        "The picture was resized, cropped or turned, and its boxes were not, or not in the same way. The network is taught "
        "that something is where there are no pixels; what really is in the picture is taught as background."
    ),
    seen_by=(
        "half a percent of the boxes share no pixel with their picture, or the middles of 2 % lie outside of it; boxes that "
        "touch the edge or reach over it, as those of cut-off objects may, do not count"
    ),
    remedies=(
        Remedy(
            "move the boxes with the picture",
            "Scale and shift the boxes by the factors of the resize or the crop, cut them to the picture, and drop what is "
            "left without area.",
        ),
        Remedy("look at the annotation", "Compare the size that the annotation names with that of the picture's file."),
    ),
    sources=(
        "Everingham et al. 2010, The Pascal Visual Object Classes Challenge: boxes bound what is visible in the picture",
        "Shao et al. 2018, CrowdHuman, section 3: boxes of whole bodies rightly reach over the edge",
        "the doctor's own calibration of the shares",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares boxes with the sizes of the pictures that came with them."""
    objects = case.objects
    yield from _of_reader(objects)
    if not objects.readable:
        return
    table, corners = objects.train, objects.corners
    known = np.isfinite(table.sizes).all(axis=1) & np.isfinite(corners).all(axis=1) & table.counted
    if not known.any():
        return
    low, high, sizes = corners[:, :2], corners[:, 2:], table.sizes
    ordered = known & np.all(high > low, axis=1)
    outside = ordered & np.any((low >= sizes) | (high <= 0), axis=1)
    slack = np.maximum(thresholds.EDGE_PIXELS, thresholds.EDGE_SHARE * sizes)
    middle = (low + high) / 2
    beyond = ordered & np.any((middle > sizes + slack) | (middle < -slack), axis=1)
    share, count = float(beyond.sum() / known.sum()), int(beyond.sum())
    wholly = float(outside.sum() / known.sum())
    if not count and not outside.any():
        return
    counts = share >= thresholds.CENTRES_OUTSIDE or wholly >= thresholds.OUTSIDE_BOXES
    grave = share >= thresholds.OUTSIDE_GRAVE
    farthest = float((high[ordered] / sizes[ordered]).max())
    resized = (
        f"; the farthest edge lies at {farthest:.2g} times its picture's size: were the pictures made smaller without their "
        "boxes?"
    )
    example = table.example(int(np.flatnonzero(outside if outside.any() else beyond)[0]))
    yield FAULT.found(
        f"{int(outside.sum()):,} of {int(known.sum()):,} boxes lie wholly outside their pictures, and the middles of {count:,}; "
        f"such as {example}{resized if grave and farthest > 1.2 else ''}",
        severity=("critical" if grave else "warning") if counts else "note",
        where=objects.where(),
        certainty=0.95 if grave else 0.85,
    )


def _of_reader(objects: ObjectsRead) -> Iterator[Finding]:
    """What the reader of the annotations left out or cut."""
    faults, total = objects.seen.faults, objects.annotated
    gone, cut = faults["outside"], faults["reaches outside"]
    if gone or cut:
        example = objects.seen.fault_examples.get("outside" if gone else "reaches outside", "")
        yield FAULT.found(
            f"{gone:,} annotated boxes lie outside their pictures and are left out, {cut:,} reach outside and are cut; such as "
            f"{example}",
            severity="warning" if gone >= thresholds.OUTSIDE_GRAVE * (total + gone) else "note",
            certainty=0.9,
            change="Correct these annotations; `osler data` lists them all.",
        )
