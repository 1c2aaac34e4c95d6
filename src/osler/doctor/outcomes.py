"""How much of what could be learnt was learnt: the loss at the end beside that of the best constant answer."""

import math

import numpy as np

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.vitals.evidence import LossSeen

LAST = 6  # samples of the loss that stand for the end
SQUARED, ABSOLUTE = ("mse_loss",), ("l1_loss",)


def learnt(loss: LossSeen) -> float | None:
    """1: the loss is gone; 0: it stands where constant answers would leave it; below 0: worse. None: cannot be told."""
    samples = [s for s in loss.samples if s.moment == "train"]
    base = constant_loss(loss)
    if len(samples) < 2 or base is None or base <= 0 or loss.options.get("reduction", "mean") != "mean":
        return None
    end = float(np.mean([s.value for s in samples[-min(LAST, max(1, len(samples) // 4)) :]]))
    return 1 - end / base if math.isfinite(end) else -math.inf


def constant_loss(loss: LossSeen) -> float | None:
    """The loss of the best answer that does not look at the input; None for losses of which we do not know it."""
    if loss.function in CLASS_LOSSES and loss.target_is_integer:
        counts = np.array([n for value, n in loss.targets.items() if value >= 0], dtype=float)
        return _entropy(counts)
    if loss.function in CLASS_LOSSES:  # shares of classes
        widths = [s.input.shape[1] for s in loss.samples if len(s.input.shape) > 1]
        return math.log(widths[0]) if widths and widths[0] > 1 else None
    if loss.function in BINARY_LOSSES:
        share = float(np.mean([s.target.mean for s in loss.samples if s.target is not None] or [0]))
        return _entropy(np.array([share, 1 - share])) if 0 < share < 1 else None
    if loss.function in SQUARED + ABSOLUTE:
        spreads = [s.target.std for s in loss.samples if s.target is not None and not math.isnan(s.target.std)]
        means = [s.target.mean for s in loss.samples if s.target is not None and not math.isnan(s.target.mean)]
        if not spreads:
            return None
        spread = math.sqrt(float(np.mean(np.square(spreads))) + float(np.var(means)))
        return spread**2 if loss.function in SQUARED else 0.8 * spread  # mean distance of a normal variable: sqrt(2/pi)
    return None


def best_learnt(case: Case) -> float | None:
    """The largest of `learnt` over the losses that taught: none of them says that all is well if this is low."""
    found = [value for loss in case.losses() if (value := learnt(loss)) is not None]
    return max(found) if found else None


def last_accuracy(case: Case) -> float | None:
    """Share of right answers at the last evaluation of the most used network, that over training data included."""
    for model in case.evidence.trained_models:
        judged = [a for a in model.answers if a.judged]
        if judged:
            return judged[-1].accuracy
    return None


def _entropy(counts: np.ndarray) -> float | None:
    total = counts.sum()
    if total <= 0:
        return None
    shares = counts[counts > 0] / total
    return float(-(shares * np.log(shares)).sum())
