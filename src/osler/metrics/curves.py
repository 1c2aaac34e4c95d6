"""ROC and precision-recall curves and the areas under them, for one yes-or-no question over all thresholds.

A sample is answered positive when its score is at least the threshold; samples of equal score change sides together.
Where truth holds no positive (or, for ROC, no negative), the area is NaN: the question cannot be asked.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Scores = Float[np.ndarray, " samples"]
Truth = Bool[np.ndarray, " samples"] | Int[np.ndarray, " samples"]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, thresholds falling, and the area under it."""

    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]
    thresholds: Float[np.ndarray, " points"]
    area: float

    def thinned(self, points: int = 200) -> "Curve":
        """The same curve with at most about `points` points, evenly along its length, ends kept; for drawing."""
        if len(self.x) <= points:
            return self
        way = np.concatenate([[0], np.cumsum(np.abs(np.diff(self.x)) + np.abs(np.diff(self.y)))])
        keep = np.unique(np.append(np.searchsorted(way, np.linspace(0, way[-1], points - 1)), len(way) - 1))
        return Curve(self.x[keep], self.y[keep], self.thresholds[keep], self.area)


def roc_curve(scores: Scores, truth: Truth) -> Curve:
    """False-positive rate (x) against true-positive rate (y), from (0, 0) to (1, 1); area by trapezoids."""
    thresholds, hits, alarms = _counts_above(scores, truth)
    positives, negatives = hits[-1], alarms[-1]
    if not positives or not negatives:
        return _undefined(thresholds)
    x, y = alarms / negatives, hits / positives
    return Curve(x, y, thresholds, float(np.trapezoid(y, x)))


def precision_recall_curve(scores: Scores, truth: Truth) -> Curve:
    """Recall (x) against precision (y), from recall 0, where precision is set to 1; area is the average precision.

    Average precision is the sum of (recall gained at a threshold) * (precision there): no interpolation, which would
    be too hopeful (Davis & Goadrich 2006).
    """
    thresholds, hits, alarms = _counts_above(scores, truth)
    if not hits[-1]:
        return _undefined(thresholds)
    recall = hits / hits[-1]
    precision = np.ones(len(hits))
    precision[1:] = hits[1:] / (hits[1:] + alarms[1:])
    return Curve(recall, precision, thresholds, float((np.diff(recall) * precision[1:]).sum()))


def roc_auc(scores: Scores, truth: Truth) -> float:
    """The probability that a positive scores higher than a negative, ties counting half."""
    return roc_curve(scores, truth).area


def average_precision(scores: Scores, truth: Truth) -> float:
    """The area under the precision-recall curve."""
    return precision_recall_curve(scores, truth).area


def mean_over_classes(areas: list[float]) -> float:
    """The mean of the areas that are defined; NaN when none is."""
    defined = [a for a in areas if not np.isnan(a)]
    return float(np.mean(defined)) if defined else float("nan")


def _counts_above(scores: Scores, truth: Truth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct thresholds falling from infinity, and how many positives and negatives score at least so much."""
    order = np.argsort(-scores, kind="stable")
    scores, truth = scores[order], truth[order].astype(bool)
    last_of_tie = (
        np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1) if len(scores) else np.array([], dtype=int)
    )
    hits = np.cumsum(truth, dtype=np.int64)[last_of_tie]
    alarms = last_of_tie + 1 - hits
    zero = np.zeros(1, dtype=np.int64)
    return np.append(np.inf, scores[last_of_tie]), np.append(zero, hits), np.append(zero, alarms)


def _undefined(thresholds: np.ndarray) -> Curve:
    nothing = np.full(len(thresholds), np.nan)
    return Curve(nothing, nothing, thresholds, float("nan"))
