"""Boxes whose second corner lies before the first."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="box-corners-swapped",
    category="data",
    phase="before",
    title="Boxes end before they begin",
    symptom="Box losses are NaN or jump, overlaps come out negative, or the detector refuses its targets.",
    cause=(
        "x2 is less than x1, or y2 less than y1: whoever drew the box began at another corner, a mirrored picture turned left and "
        "right around but not the two numbers, or y was counted from below. Width and height become negative, and with "
        "them areas, overlaps, and the logarithms that box regression is taught."
    ),
    seen_by=(
        "among boxes that are corners otherwise some have a negative width or height, and lie in their pictures once the two "
        "numbers change places; where position and size fit all of them, that is told instead"
    ),
    remedies=(
        Remedy(
            "order the corners",
            "Take the smaller number first: torch.cat([torch.minimum(b[:, :2], b[:, 2:]), torch.maximum(b[:, :2], b[:, 2:])], 1).",
        ),
        Remedy(
            "mend the mirroring",
            "Where pictures are mirrored, x1 and x2 become width - x2 and width - x1, in that order.",
        ),
    ),
    sources=(
        "Everingham et al. 2010, The Pascal Visual Object Classes Challenge: boxes as least and greatest coordinates",
        "torchvision, models.detection: targets with degenerate boxes are refused",
        "the doctor's own calibration of the shares",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks for negative widths and heights."""
    objects = case.objects
    swapped, total = objects.seen.faults["swapped corners"], objects.annotated
    if swapped and swapped < thresholds.SWAPPED_OF_FORMAT * (swapped + total):
        yield FAULT.found(
            f"{swapped:,} annotated boxes end before they begin and are left out, such as "
            f"{objects.seen.fault_examples.get('swapped corners', '')}",
            severity="warning" if swapped >= thresholds.BAD_BOXES_GRAVE * (swapped + total) else "note",
            certainty=0.9,
            change="Correct these annotations; `osler data` lists them all.",
        )
    if not objects.readable or objects.form.layout != "corners":
        return
    table = objects.train
    sides = table.values[:, 2:] - table.values[:, :2]
    turned = np.any(sides < 0, axis=1) & table.counted
    if not turned.any() or len(table) < thresholds.BOXES_ENOUGH:
        return
    low, high = (
        np.minimum(table.values[:, :2], table.values[:, 2:]),
        np.maximum(table.values[:, :2], table.values[:, 2:]),
    )
    limits = np.where(np.isfinite(table.sizes), table.sizes, np.inf)
    limits = np.ones_like(limits) if objects.form.shares else limits
    slack = np.maximum(
        thresholds.EDGE_SHARE * np.where(np.isfinite(limits), limits, 0), 0.0 if objects.form.shares else 2.0
    )
    inside = np.all((low >= -slack) & (high <= limits + slack), axis=1)
    if float(inside[turned].mean()) < thresholds.FORMAT_FITS:
        return  # not corners at all, and nothing else that is known
    share = float(turned.sum() / table.counted.sum())
    wide, tall = int((sides[turned][:, 0] < 0).sum()), int((sides[turned][:, 1] < 0).sum())
    yield FAULT.found(
        f"{int(turned.sum()):,} of {int(table.counted.sum()):,} boxes end before they begin ({wide:,} in x, {tall:,} in y), "
        f"such as {table.example(int(np.flatnonzero(turned)[0]))}",
        severity="critical"
        if share >= thresholds.BAD_BOXES_GRAVE
        else "warning"
        if share >= thresholds.BAD_BOXES
        else "note",
        where=objects.where(),
        certainty=0.95,
    )
