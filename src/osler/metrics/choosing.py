"""Which metric to look at for which question, and the trap of accuracy where one class is rare."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int

from osler.metrics.agreement import accuracy, balanced_accuracy
from osler.metrics.counts import ConfusionMatrix

Need = Literal["decision", "ranking", "probability", "shortlist", "agreement"]

EVEN = 3.0  # most frequent to rarest class, up to which accuracy says what one thinks it says
RARE = 0.1  # share of positives below which a ROC curve looks better than the work it makes
TRAP_SHARE = 0.75  # share of the most frequent class from which accuracy is looked at with suspicion
TRAP_GAP = 0.1  # by which balanced accuracy must fall short of accuracy


@dataclass(frozen=True, slots=True)
class MetricChoice:
    """A metric by the name it has in this house's results, and why."""

    name: str
    reason: str


def choose_metric(class_counts: Int[np.ndarray, " classes"], *, need: Need = "decision") -> MetricChoice:
    """The metric that answers the question.

    `class_counts` says how many samples of each class there are; of two classes the second is the positive one.
    `need` is what the answers are used for: a "decision" (one class is acted upon), a "ranking" (the most suspicious
    first), a "probability" (a price or a risk is computed from it), a "shortlist" (a person picks from a few), or
    "agreement" (two judges compared).

    Raises:
        ValueError: there is no such need.
    """
    two = len(class_counts) == 2
    uneven = class_counts.max() / max(1, class_counts.min())
    positives = class_counts[-1] / max(1, class_counts.sum())
    if need == "decision":
        return _for_decisions(two, float(uneven))
    if need == "ranking" and (two and positives < RARE):
        reason = (
            f"positives are {positives:.1%}: the many negatives flatter ROC, not precision (Saito & Rehmsmeier 2015)"
        )
        return MetricChoice("map", reason)
    always = {
        "ranking": MetricChoice("auc", "how often a positive scores above a negative, whatever the threshold"),
        "probability": MetricChoice(
            "log_loss", "punishes a wrong probability by how sure it was; read calibration_error beside it"
        ),
        "shortlist": MetricChoice("top5", "right when the true class is among those shown"),
        "agreement": MetricChoice("kappa", "agreement beyond what chance gives for these margins"),
    }
    if need not in always:
        raise ValueError(f"There is no need called {need!r}; there are: decision, {', '.join(always)}.")
    return always[need]


def accuracy_trap(matrix: ConfusionMatrix) -> str | None:
    """A warning when accuracy is owed to the most frequent class; None when it can be believed."""
    support = matrix.counts.sum(axis=1)
    share = support.max() / max(1, support.sum())
    plain, fair = accuracy(matrix), balanced_accuracy(matrix)
    if share < TRAP_SHARE or plain - fair < TRAP_GAP:
        return None
    frequent = matrix.names[int(support.argmax())]
    return (
        f"Accuracy {plain:.1%} says little here: always answering {frequent!r} gives {share:.1%}."
        f" Balanced accuracy is {fair:.1%}. Judge by recall and precision of the rare classes (f1, map)."
    )


def _for_decisions(two: bool, uneven: float) -> MetricChoice:
    if uneven <= EVEN:
        return MetricChoice("accuracy", "the classes are about equally frequent")
    if two:
        return MetricChoice(
            "f1", f"one class is {uneven:.0f} times the other: accuracy would be high without finding any of it"
        )
    return MetricChoice(
        "balanced_accuracy", f"the most frequent class is {uneven:.0f} times the rarest: every class counts alike"
    )
