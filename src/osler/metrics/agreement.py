"""Single numbers for how well answers agree with the truth: accuracy, and those that chance does not flatter."""

import numpy as np
from jaxtyping import Float, Int

from osler.metrics.counts import ConfusionMatrix


def accuracy(matrix: ConfusionMatrix) -> float:
    """Right answers over all; NaN without samples."""
    total = matrix.counts.sum()
    return float(np.trace(matrix.counts) / total) if total else float("nan")


def balanced_accuracy(matrix: ConfusionMatrix) -> float:
    """The mean recall over the classes that occur in truth: always answering one of k classes gives 1 / k."""
    support = matrix.counts.sum(axis=1)
    held = support > 0
    return float((np.diag(matrix.counts)[held] / support[held]).mean()) if held.any() else float("nan")


def kappa(matrix: ConfusionMatrix) -> float:
    """Cohen's kappa (1960): agreement beyond what the margins give by chance, over the most that could be beyond it.

    NaN when chance alone agrees fully (one class in truth and in the answers).
    """
    counts = matrix.counts.astype(np.float64)
    total = counts.sum()
    by_chance = (counts.sum(axis=0) * counts.sum(axis=1)).sum() / total**2 if total else 1.0
    return float((np.trace(counts) / total - by_chance) / (1 - by_chance)) if by_chance < 1 else float("nan")


def matthews(matrix: ConfusionMatrix) -> float:
    """Matthews' correlation of truth and answer, for several classes (Gorodkin 2004); 0 when either is constant."""
    counts = matrix.counts.astype(np.float64)
    true, answered, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    covariance = np.trace(counts) * total - true @ answered
    spread = np.sqrt(total**2 - true @ true) * np.sqrt(total**2 - answered @ answered)
    return float(covariance / spread) if spread > 0 else 0.0


def top_k_accuracy(
    scores: Float[np.ndarray, "samples classes"], targets: Int[np.ndarray, " samples"], k: int = 5
) -> float:
    """The share of samples whose true class is among the k with the highest scores.

    Among equal scores the class with the lower index comes first, as in `argmax`, so that k = 1 is the accuracy.
    """
    of_truth = np.take_along_axis(scores, targets[:, None], axis=1)
    before = np.arange(scores.shape[1])[None] < targets[:, None]
    rank = ((scores > of_truth) | ((scores == of_truth) & before)).sum(axis=1)
    return float((rank < k).mean()) if len(targets) else float("nan")
