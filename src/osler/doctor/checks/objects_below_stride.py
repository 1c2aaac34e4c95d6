"""Objects that fall between the positions of the finest map."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="objects-below-stride",
    category="model",
    phase="before",
    title="Objects are smaller than the stride",
    symptom="Small objects are missed however long the training; large ones are found.",
    cause=(
        "The finest map on which the detector looks has one position for every few pixels, its stride. An object under half of "
        "that leaves hardly a trace in any position's features, and several of them share one."
    ),
    seen_by=(
        "both sides of a fifth of the objects, in pixels of the network's input, are under half the finest stride; from a "
        "twentieth under the stride on it is a note"
    ),
    remedies=(
        Remedy(
            "feed larger pictures",
            "Enlarge the pictures that the network is given, or cut them into tiles, with their boxes.",
        ),
        Remedy(
            "look at a finer map",
            "Add a level of a smaller stride to the neck, or take an earlier map of the backbone.",
        ),
    ),
    sources=(
        "Lin et al. 2017, Feature Pyramid Networks, section 5.1: small objects gain most from finer maps",
        "Redmon et al. 2016, You Only Look Once, section 2.4: small objects in groups share a cell",
        "the doctor's own calibration of the shares",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the longer sides of objects with the finest stride."""
    objects = case.objects
    if not objects.seen.strides:
        raise NotSeen("no stride of the detector was seen")
    if objects.seen.form != "data" and len(case.models) > 1:
        raise NotSeen("the detector's parts were called one by one: its finest map is not known")
    if not objects.readable:
        return
    finest, table = min(objects.seen.strides), objects.train
    boxes = objects.corners
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=-np.inf)
    judged = np.isfinite(longer) & (longer > 0) & table.counted
    if int(judged.sum()) < thresholds.OBJECTS_ENOUGH:
        return
    below, half = judged & (longer < finest), judged & (longer < finest / 2)
    share, tiny = float(below.sum() / judged.sum()), float(half.sum() / judged.sum())
    if share < thresholds.BELOW_STRIDE:
        return
    smallest = int(np.flatnonzero(judged)[np.argmin(longer[judged])])
    yield FAULT.found(
        f"{int(below.sum()):,} of {int(judged.sum()):,} objects are smaller than the finest stride of {finest:g} pixels, and "
        f"{int(half.sum()):,} than half of it; the smallest is {table.example(smallest)}",
        severity="warning" if tiny >= thresholds.BELOW_HALF else "note",
        where=objects.where(),
        certainty=0.8,
        change=f"Enlarge the pictures by a factor of about {finest / float(np.median(longer[below])):.1f}, with their boxes.",
    )
