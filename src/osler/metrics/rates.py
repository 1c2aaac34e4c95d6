"""Precision, recall and F1 from counts, and their averages.

Where a rate divides nothing by nothing (precision with no positive answer, recall with no positive in truth, F1 with
neither) it is `zero_division`: 0 unless told otherwise, as in scikit-learn.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float

from osler.metrics.counts import Counts

Average = Literal["macro", "micro", "weighted"]
Rates = Float[np.ndarray, " questions"]
Rate = Callable[..., Rates]


def precision(counts: Counts, *, zero_division: float = 0.0) -> Rates:
    """Of what was answered positive, the share that is: TP / (TP + FP)."""
    return _share(counts.true_positives, counts.true_positives + counts.false_positives, zero_division)


def recall(counts: Counts, *, zero_division: float = 0.0) -> Rates:
    """Of what is positive, the share that was found: TP / (TP + FN)."""
    return _share(counts.true_positives, counts.support, zero_division)


def f1(counts: Counts, *, zero_division: float = 0.0) -> Rates:
    """The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."""
    twice = 2 * counts.true_positives
    return _share(twice, twice + counts.false_positives + counts.false_negatives, zero_division)


def average(rate: Rate, counts: Counts, how: Average = "macro", *, zero_division: float = 0.0) -> float:
    """One number over all questions.

    "macro": the mean over the questions; "micro": the rate of all their counts together; "weighted": the mean
    weighted by how many samples are positive in truth.
    """
    if how == "micro":
        return float(rate(counts.total(), zero_division=zero_division)[0])
    rates = rate(counts, zero_division=zero_division)
    if how == "macro":
        return float(rates.mean())
    return float((rates * counts.support).sum() / counts.support.sum()) if counts.support.any() else zero_division


def occurring(counts: Counts) -> Counts:
    """The questions with a positive in truth or answer.

    A class that a split neither holds nor was given as an answer says nothing about the network; macro averages leave
    it out.
    """
    return counts.select(counts.support + counts.false_positives > 0)


def _share(part: np.ndarray, whole: np.ndarray, otherwise: float) -> Rates:
    return np.where(whole > 0, part / np.maximum(whole, 1), otherwise)
