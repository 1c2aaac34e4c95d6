"""The one figure by which a program is judged before and after a remedy."""

import math
from dataclasses import dataclass

import numpy as np

from osler.doctor.case import Case
from osler.doctor.printed import Kind
from osler.vitals.evidence import Evidence

HIGHER: tuple[Kind, ...] = ("accuracy", "f1", "r2", "recall", "precision")
LAST = 0.2  # share of the updates whose losses are taken for the loss at the end


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure of a run: which, how much, and whether more is better."""

    name: str
    value: float
    higher_is_better: bool

    def beats(self, other: "Headline", by: float) -> bool:
        """Whether this is better than another by more than `by`."""
        if not math.isfinite(self.value):
            return False
        if not math.isfinite(other.value):
            return True
        gain = self.value - other.value
        return (gain if self.higher_is_better else -gain) > by


def headlines(evidence: Evidence) -> dict[str, Headline]:
    """Every figure of a run that could be compared: by name, the most telling first.

    Answers on data that were not trained on stand first (accuracy, the mean recall of the classes, error), then what the
    program printed last under names that are metrics, then losses.
    """
    case = Case(evidence)
    found: dict[str, Headline] = {}
    for model in evidence.trained_models[:2]:
        passes = case.evaluations(model) or []
        for answers in [a for a in passes if a.judged][-1:]:
            found.setdefault("accuracy", Headline("accuracy", answers.accuracy, True))
            found.setdefault("mean recall", Headline("mean recall", _mean_recall(answers.confusion), True))
        for answers in [a for a in passes if a.errors][-1:]:
            found.setdefault("error", Headline("error", float(np.mean(answers.errors)), False))
        for answers in [a for a in passes if a.losses][-1:]:
            found.setdefault("validation loss", Headline("validation loss", answers.loss, False))
    found |= {name: h for name, h in _printed(case).items() if name not in found}
    values = [value for backward in evidence.backwards[:1] for _, value in backward.values]
    if values:
        tail = np.asarray(values[int(len(values) * (1 - LAST)) :], dtype=np.float64)
        found["training loss"] = Headline("training loss", float(tail.mean()), False)
    return found


def _mean_recall(confusion: dict[tuple[int, int], int]) -> float:
    totals: dict[int, int] = {}
    for (label, _), count in confusion.items():
        totals[label] = totals.get(label, 0) + count
    return float(np.mean([confusion.get((label, label), 0) / total for label, total in totals.items()]))


def _printed(case: Case) -> dict[str, Headline]:
    """The last values of what the program printed of its evaluation, metrics before losses."""
    found: dict[str, Headline] = {}
    for kind in (*HIGHER, "error", "loss"):
        for series in case.printed.of(kind):
            value = float(series.shares[-1]) if kind in HIGHER else series.values[-1]
            if series.part != "train" and math.isfinite(value):
                name = f"printed {series.name}"
                found.setdefault(name, Headline(name, value, kind in HIGHER))
    return found
