"""From which probability to say yes: what a threshold gives, the best one, and why recall or precision is low."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from osler.metrics.counts import label_counts
from osler.metrics.curves import Scores, Truth, precision_recall_curve
from osler.metrics.rates import f1, precision, recall

GAP = 0.2  # between precision and recall, from which the threshold is worth a word


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a threshold gives."""

    threshold: float
    precision: float
    recall: float
    f1: float


def at_threshold(scores: Scores, truth: Truth, threshold: float) -> AtThreshold:
    """Precision, recall and F1 when scores of at least `threshold` are answered positive."""
    counts = label_counts(truth[:, None], scores[:, None] >= threshold)
    return AtThreshold(threshold, *(float(rate(counts)[0]) for rate in (precision, recall, f1)))


def best_threshold(scores: Scores, truth: Truth) -> AtThreshold:
    """The threshold with the highest F1, set midway to the next lower score so that it holds for scores nearby.

    Of several equally good ones, the highest. Choose it on validation data, never on the test set. Without a positive
    in truth no threshold is better than another: 0.5, with F1 0.
    """
    curve = precision_recall_curve(scores, truth)
    if np.isnan(curve.area):
        return AtThreshold(0.5, 0.0, 0.0, 0.0)
    found, right = curve.x[1:], curve.y[1:]
    both = 2 * found * right / np.maximum(found + right, 1e-12)
    best = int(np.argmax(both))
    here = float(curve.thresholds[1 + best])
    below = float(curve.thresholds[2 + best]) if best + 2 < len(curve.thresholds) else 0.0
    middle = (here + below) / 2
    return at_threshold(scores, truth, middle if below < middle < here else here)


def best_thresholds(
    scores: Float[np.ndarray, "samples labels"], truth: Int[np.ndarray, "samples labels"]
) -> Float[np.ndarray, " labels"]:
    """The best threshold of each label by itself: a rare label's probabilities are low, so one for all misses it."""
    return np.array([best_threshold(s, t).threshold for s, t in zip(scores.T, truth.T, strict=True)])


def diagnose(scores: Scores, truth: Truth, threshold: float = 0.5) -> str:
    """What precision and recall at a threshold say together, and what to do about it."""
    now, better = at_threshold(scores, truth, threshold), best_threshold(scores, truth)
    numbers = f"At threshold {threshold:.2f} precision is {now.precision:.2f} and recall {now.recall:.2f}."
    instead = (
        f" A threshold of {better.threshold:.2f} gives precision {better.precision:.2f} and recall {better.recall:.2f}"
        f" (F1 {now.f1:.2f} becomes {better.f1:.2f})."
    )
    gains = (
        instead
        if better.f1 > now.f1 + 0.005
        else " No other threshold gives a clearly higher F1: more or better data would."
    )
    if not np.any(truth):
        return numbers + " No sample is positive in truth, so neither can be judged."
    if not np.any(scores >= threshold):
        return numbers + " Nothing was answered positive: the threshold lies above every score." + gains
    if now.precision - now.recall > GAP:
        why = (
            " What it calls positive is right, but it misses many: the threshold is high for this model, positives are"
            " rare in training, or the hard positives look unlike those it learnt from."
        )
        return numbers + why + gains
    if now.recall - now.precision > GAP:
        why = (
            " It finds most positives, but many of its alarms are false: the threshold is low, or negatives that look"
            " like positives are too few in training."
        )
        return numbers + why + gains
    return numbers + " The two are in balance." + gains
