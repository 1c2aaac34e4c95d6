"""Precision and recall of detections as the score falls, and the areas under them that the field has agreed upon.

Average precision always means: precision is first made to fall only (at each recall the best precision at that recall
or a higher one), then averaged. What differs is over which recalls:

- eleven of them, 0, 0.1, ..., 1 (Pascal VOC until 2009; Everingham et al. 2010, section 4.2, equations 1 and 2);
- all (Pascal VOC from 2010 on; its development kit, section 3.4.1);
- 101 of them, 0, 0.01, ..., 1 (COCO; Lin et al. 2014).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from osler.metrics.curves import Curve
from osler.metrics.detection_matching import Matched

RECALLS = np.linspace(0, 1, 101)  # in COCO's own rounding
ELEVEN = np.arange(11) / 10  # quotients, so that three in ten reach 0.3

Points = Float[np.ndarray, " points"]


def ranked(matches: Sequence[Matched], label: int) -> tuple[Float[np.ndarray, " found"], Bool[np.ndarray, " found"]]:
    """Scores of a class's detections in all pictures, the surest first, and which are right; excused ones left out."""
    rows = [(m.labels == label) & ~m.excused for m in matches]
    scores = np.concatenate([m.scores[r] for m, r in zip(matches, rows, strict=True)] or [np.zeros(0)])
    right = np.concatenate([m.right[r] for m, r in zip(matches, rows, strict=True)] or [np.zeros(0, bool)])
    order = np.argsort(-scores, kind="stable")
    return scores[order], right[order]


def positives(matches: Sequence[Matched], label: int) -> int:
    """How many objects of a class are to be found."""
    return sum(int(((m.true_labels == label) & ~m.ignored).sum()) for m in matches)


def recall_and_precision(right: Bool[np.ndarray, " found"], objects: int) -> tuple[Points, Points]:
    """Recall and precision after each detection, the surest first; recall of no objects is undefined (NaN)."""
    hits = np.cumsum(right)
    recall = hits / objects if objects else np.full(len(right), np.nan)
    return recall, hits / np.arange(1, len(right) + 1)


def falling(recall: Points, precision: Points, at: Points) -> Points:
    """The best precision at each recall of `at` or a higher one; 0 where that recall is not reached."""
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    reached: Points = best[np.searchsorted(recall, at, side="left")]
    return reached


def coco_area(right: Bool[np.ndarray, " found"], objects: int) -> float:
    """The mean over 101 recalls; NaN where there is nothing to find."""
    return _mean_at(RECALLS, right, objects)


def eleven_point_area(right: Bool[np.ndarray, " found"], objects: int) -> float:
    """The mean over eleven recalls; NaN where there is nothing to find."""
    return _mean_at(ELEVEN, right, objects)


def whole_area(right: Bool[np.ndarray, " found"], objects: int) -> float:
    """The area itself, each gain of recall times the best precision from there on; NaN where there is nothing to find."""
    if not objects:
        return float("nan")
    recall, precision = recall_and_precision(right, objects)
    return float((np.diff(recall, prepend=0.0) * falling(recall, precision, recall)).sum())


def detection_curve(matches: Sequence[Matched], label: int) -> Curve:
    """Recall (x) against the best precision from there on (y), at COCO's 101 recalls; the area is that class's AP."""
    scores, right = ranked(matches, label)
    objects = positives(matches, label)
    if not objects:
        nothing = np.full(len(RECALLS), np.nan)
        return Curve(RECALLS, nothing, nothing, float("nan"))
    recall, precision = recall_and_precision(right, objects)
    thresholds = np.append(scores, np.nan)[np.searchsorted(recall, RECALLS, side="left")]
    return Curve(RECALLS, falling(recall, precision, RECALLS), thresholds, coco_area(right, objects))


def _mean_at(recalls: Points, right: Bool[np.ndarray, " found"], objects: int) -> float:
    if not objects:
        return float("nan")
    return float(falling(*recall_and_precision(right, objects), recalls).mean())
