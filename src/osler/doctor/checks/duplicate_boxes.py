"""Objects that are annotated twice."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="duplicate-boxes",
    category="data",
    phase="before",
    title="Objects are annotated twice",
    symptom="Recall looks poor although nothing is missed: of two equal boxes one can never be found.",
    cause=(
        "The same box with the same class stands twice in a picture, after two annotation files were joined or an export ran "
        "twice. Each detection answers for one object, so that the second copy counts as missed; in training it weighs double, "
        "and matchers that give each object its own anchor spend one on it."
    ),
    seen_by=(
        "2 % of the boxes, and at least 3, equal another of their class in their picture, number for number; crowds do not "
        "count"
    ),
    remedies=(
        Remedy(
            "drop the copies",
            "Keep each row of boxes and labels once: torch.unique(torch.cat([boxes, labels[:, None]], 1), dim=0).",
        ),
        Remedy("look at how the files were joined", "Drop annotations whose picture and box were there before."),
    ),
    sources=(
        "COCO's evaluation (cocodataset.org, detection): a detection is matched to one object at most, an unmatched one is a miss",
        "the doctor's own calibration of the share",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Counts equal rows of box and class within a picture."""
    objects = case.objects
    table = objects.train
    if not len(table):
        return
    labels = table.labels if table.labels is not None else np.zeros(len(table), np.int64)
    rows = np.column_stack([table.picture, labels, table.values])[table.counted]
    _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    copies, share = int((counts - 1).sum()), float((counts - 1).sum() / max(1, len(rows)))
    if not copies:
        return
    row = int(np.flatnonzero(table.counted)[first[np.argmax(counts)]])
    several = len({int(table.picture[i]) for i in np.flatnonzero(table.counted)[first[counts > 1]]})
    counts_enough = share >= thresholds.DUPLICATES and copies >= thresholds.DUPLICATES_LEAST
    yield FAULT.found(
        f"{copies:,} of {len(rows):,} boxes repeat another of the same class in their picture, in {several:,} pictures; such as "
        f"{table.example(row)}, which stands there {int(counts.max())} times",
        severity="warning" if counts_enough else "note",
        where=objects.where(),
        certainty=0.9,
    )
