"""Are probabilities to be believed? Log-loss, Brier score, and calibration error with its reliability bins."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

SMALLEST = float(np.finfo(np.float32).eps)  # a probability of 0 for what is true costs -log of this instead of infinity


@dataclass(frozen=True, slots=True)
class Reliability:
    """Answers sorted into bins by their confidence: what a reliability diagram draws. Empty bins hold NaN."""

    edges: Float[np.ndarray, " edges"]  # bin i holds edges[i] < confidence <= edges[i + 1]
    confidence: Float[np.ndarray, " bins"]  # mean in the bin
    accuracy: Float[np.ndarray, " bins"]  # share of right answers in the bin
    count: Int[np.ndarray, " bins"]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap between confidence and accuracy, bins weighted by their counts."""
        total = self.count.sum()
        gaps = np.nan_to_num(np.abs(self.confidence - self.accuracy))
        return float((gaps * self.count).sum() / total) if total else float("nan")


def reliability(
    confidence: Float[np.ndarray, " answers"], right: Bool[np.ndarray, " answers"], *, bins: int = 15
) -> Reliability:
    """Bins of equal width over [0, 1], 15 as in Guo et al. 2017 (section 2, eq. 3).

    For one class a picture: the probability of the answered class and whether it is right. For labels: each label's
    probability and whether it is there.
    """
    edges = np.linspace(0, 1, bins + 1)
    where = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    count = np.bincount(where, minlength=bins)
    whole = np.where(count > 0, count, np.nan)
    sums = (np.bincount(where, weights=w.astype(np.float64), minlength=bins) for w in (confidence, right))
    mean_confidence, share_right = (s / whole for s in sums)
    return Reliability(edges, mean_confidence, share_right, count)


def log_loss(probabilities: Float[np.ndarray, "samples classes"], targets: Int[np.ndarray, " samples"]) -> float:
    """Mean of -log of the probability given to the truth, in nats."""
    if not len(targets):
        return float("nan")
    of_truth = np.take_along_axis(probabilities, targets[:, None], axis=1)[:, 0].astype(np.float64)
    return float(-np.log(np.clip(of_truth, SMALLEST, 1)).mean())


def brier_score(probabilities: Float[np.ndarray, "samples classes"], targets: Int[np.ndarray, " samples"]) -> float:
    """Mean squared distance of the rows from the one-hot truth, summed over the classes: 0 to 2 (Brier 1950)."""
    if not len(targets):
        return float("nan")
    rows = probabilities.astype(np.float64)
    of_truth = np.take_along_axis(rows, targets[:, None], axis=1)[:, 0]
    return float((np.square(rows).sum(axis=1) - 2 * of_truth + 1).mean())
