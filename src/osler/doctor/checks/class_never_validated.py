"""Classes of which validation holds no object."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.objects_read import ObjectsRead, Table
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import Site

FAULT = Fault(
    name="class-never-validated",
    category="evaluation",
    phase="before",
    title="Some classes never occur in validation",
    symptom="Average precision looks good, and says nothing of some classes that were trained.",
    cause=(
        "The split left all objects of a class in training: files sorted by class were cut in two, or the class is in few "
        "pictures. Its average precision is undefined and left out of the mean, so that the best checkpoint is chosen "
        "blindly for it."
    ),
    seen_by=(
        "validation holds no object of a class of which it would hold 5 or more at training's frequencies; for rarer "
        "classes it is a note"
    ),
    remedies=(
        Remedy(
            "split by class",
            "Split the pictures so that each class has some in validation: shuffle before the split, or take a share of the "
            "pictures of each class.",
        ),
        Remedy("collect pictures", "Add validation pictures that show these classes."),
    ),
    sources=(
        "COCO's evaluation (cocodataset.org, detection): classes without objects are left out of the mean",
        "Kohavi 1995, A study of cross-validation and bootstrap, on stratified splits",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the classes of both parts, as their loaders or data sets number them."""
    objects = case.objects
    train, held = _counts(objects)
    if not sum(held.values()):
        raise NotSeen("no validation objects with labels were seen")
    if not set(held) & set(train):
        return  # numbered in another way: nothing can be compared
    total, there = sum(train.values()), sum(held.values())
    expected = {label: count / total * there for label, count in train.items() if label not in held}
    if not expected:
        return
    frequent = [label for label, count in expected.items() if count >= thresholds.CLASS_EXPECTED]
    named = sorted(frequent or expected, key=lambda label: -train[label])
    shown = ", ".join(f"{objects.named(label)} ({train[label]:,} in training)" for label in named[:5])
    what = "pictures" if objects.seen.classes else "objects"
    yield FAULT.found(
        f"{len(named)} of {len(train)} classes that are trained never occur among {there:,} validation {what}: {shown}"
        + ("" if len(named) <= 5 else ", ..."),
        severity="warning" if frequent else "note",
        where=case.where(_site(case)),
        certainty=0.85,
    )


def _counts(objects: ObjectsRead) -> tuple[Counter[int], Counter[int]]:
    """How often each class was seen in training and in validation."""
    if objects.seen.classes:
        return objects.seen.classes.get("train", Counter()), objects.seen.classes.get("validation", Counter())
    return _labels(objects.by_loader[0]), _labels(objects.by_loader[1])


def _labels(table: Table) -> Counter[int]:
    labels = table.labels if table.labels is not None else np.zeros(0, np.int64)
    return Counter(labels.tolist())


def _site(case: Case) -> Site | None:
    """The loader of the validation."""
    return next((x.site for x in case.evidence.loaders if x.used_for["evaluate"] and not x.used_for["train"]), None)
