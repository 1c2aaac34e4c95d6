"""Anchors of other shapes than the objects."""

from collections.abc import Iterator

import numpy as np
import torch

from osler.doctor import thresholds
from osler.doctor.anchor_fit import AnchorFit, fit_of
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="anchors-miss-objects",
    category="model",
    phase="before",
    title="Anchors fit few of the objects",
    symptom="Recall is low for objects of some sizes, and few anchors are positive; the rest is learnt as background.",
    cause=(
        "Anchors were made for other pictures: for larger objects, or for other proportions. An object that no anchor overlaps by "
        "half is taught by none, or only by its best one, which has a long way to go to fit it."
    ),
    seen_by=(
        "less than half of the objects have an anchor of IoU 0.5, both laid on one middle, in whichever unit fits best; and as "
        "many anchors found by k-means in the objects would meet a quarter of the objects more"
    ),
    remedies=(
        Remedy(
            "fit the anchors to the objects",
            "Find the anchors by k-means over the objects' widths and heights (osler.ops).",
        ),
        Remedy("resize the pictures", "Or enlarge the pictures until the objects are as large as the anchors."),
    ),
    sources=(
        "Redmon and Farhadi 2017, YOLO9000, section 2: dimension clusters",
        "Liu et al. 2016, SSD, section 2.2; Lin et al. 2017, Focal Loss, section 4: positive from an IoU of 0.5",
        "the doctor's own calibration of the shares",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Lays the objects on the anchors, and on those that would fit."""
    objects = case.objects
    if not objects.seen.anchors:
        raise NotSeen("no anchors were seen")
    if not objects.readable:
        return
    fit = fit_of(objects)
    if fit is None or len(fit.sizes) < thresholds.OBJECTS_ENOUGH or fit.share >= thresholds.ANCHORS_MEET:
        return
    count = min(len(fit.shapes), len(torch.unique(fit.sizes, dim=0)))
    better, share = fit.refitted(count)
    if share - fit.share < thresholds.ANCHORS_BETTER:
        return
    sizes = fit.sizes.numpy()
    yield FAULT.found(
        f"{fit.share:.0%} of {len(sizes):,} objects have an anchor of IoU {thresholds.ANCHOR_IOU:g} at {fit.name}: the anchors "
        f"span {_span(fit.shapes.numpy())}, the objects {_span(np.percentile(sizes, [5, 95], axis=0))} (5 to 95 %)",
        severity="warning",
        where=case.where(),
        certainty=0.8,
        change=f"Use these {count} anchors, which meet {share:.0%}: {_listed(fit, better)} (width x height in {fit.said}).",
    )


def _span(shapes: np.ndarray) -> str:
    sides = np.sqrt(shapes.prod(axis=1))
    return f"{sides.min():.4g} to {sides.max():.4g} pixels"


def _listed(fit: AnchorFit, shapes: torch.Tensor) -> str:
    rows = (shapes / fit.factor).tolist()
    digits = ".3g" if fit.said != "pixels" else ".0f"
    return ", ".join(f"{width:{digits}} x {height:{digits}}" for width, height in rows[:12]) + (
        ", ..." if len(rows) > 12 else ""
    )
