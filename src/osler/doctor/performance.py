"""How well a network did, in training and in evaluation, over time: from what was seen of it, else from what was printed."""

import math
from dataclasses import dataclass

import numpy as np

from osler.doctor.case import Case
from osler.doctor.fault import NotSeen
from osler.structures.finding import Series
from osler.vitals.evidence import Answers, ModelSeen

SHORT_RUN, LAST_OF_SHORT, ENOUGH_ANSWERS = (
    10,
    3,
    100,
)  # updates a recorded call; calls and answers that stand for the end
WINDOW = 20  # losses of training steps that stand for a moment, at least


@dataclass(frozen=True)
class Share:
    """Right answers among judged ones."""

    right: float
    count: int
    source: str

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.right / self.count

    @property
    def variance(self) -> float:
        """Of sampling: binomial, with one answer added to each side so that all-right is not taken for certain."""
        share = (self.right + 1) / (self.count + 2)
        return share * (1 - share) / self.count


@dataclass(frozen=True)
class Curve:
    """A figure at some steps; `steps` are updates, or numbers of lines where it was printed only."""

    steps: np.ndarray
    values: np.ndarray
    source: str

    def series(self, name: str) -> Series:
        """For a small plot."""
        return Series(name, tuple(int(s) for s in self.steps), tuple(float(v) for v in self.values))


def training_accuracy(case: Case, model: ModelSeen) -> Share | None:
    """At the end, on training data: of the last evaluation over them, else of the last training calls, else as printed."""
    last = max((a.step for a in model.answers), default=0)
    seen = [a for a in case.training_evaluations(model) if a.judged and a.step and a.step >= 0.9 * last]
    if seen:
        return Share(seen[-1].right, seen[-1].judged, "evaluated on training data")
    if model.last_training is not None and model.last_training.judged:
        return Share(model.last_training.right, model.last_training.judged, "in the last training steps")
    return _printed_share(case, "train")


def _of_last_steps(last: Answers, updates: int) -> Share:
    """Of the last training calls; in a run so short that these were much of it, of the last of them alone."""
    right, judged = last.right, last.judged
    if updates < SHORT_RUN * len(last.batches):
        right = judged = 0
        for count, (correct, answered) in enumerate(reversed(last.batches), 1):
            right, judged = right + correct, judged + answered
            if judged >= ENOUGH_ANSWERS and count >= LAST_OF_SHORT:
                break
    return Share(right, judged, "in the last training steps")


def evaluation_accuracy(case: Case, model: ModelSeen) -> Share | None:
    """At the end, on data that were not trained on; else as printed."""
    seen = [a for a in case.evaluations(model) if a.judged and a.step]
    if seen:
        largest = max(a.judged for a in seen)
        last = [a for a in seen if a.judged >= 0.5 * largest][-1]
        return Share(last.right, last.judged, "evaluated")
    return _printed_share(case, "evaluation")


def best_accuracy(case: Case, model: ModelSeen) -> Share | None:
    """The best of all: dropout and augmentation make training look worse than the network is, and so does a short run."""
    last = model.last_training
    recent = _of_last_steps(last, case.evidence.steps) if last is not None and last.judged else None
    shares = [s for s in (recent, training_accuracy(case, model), evaluation_accuracy(case, model)) if s is not None]
    return max(shares, key=lambda s: s.value, default=None)


def _printed_share(case: Case, part: str) -> Share | None:
    for series in case.printed.series:
        if series.kind == "accuracy" and series.part == part and math.isfinite(series.values[-1]):
            share = float(series.shares[-1])
            if 0 <= share <= 1:
                samples = max((a.samples for m in case.evidence.models for a in m.answers), default=100)
                return Share(share * samples, samples, "printed")
    return None


def evaluation_loss(case: Case, model: ModelSeen) -> Curve | None:
    """The loss on data that were not trained on, pass by pass of the same size; else as printed."""
    return _loss_of(case.evaluations(model), "evaluated") or _printed_loss(case, "evaluation")


def training_loss(case: Case, model: ModelSeen, steps: np.ndarray) -> Curve | None:
    """The loss on training data at about these steps: evaluated, else of the training steps before each, else as printed."""
    seen = _loss_of(case.training_evaluations(model), "evaluated on training data")
    if seen is not None and len(seen.values) >= 0.5 * len(steps):
        return seen
    try:
        curve = case.loss_curve
    except NotSeen:
        return _printed_loss(case, "train")
    values = []
    for before, step in zip([0, *steps[:-1]], steps, strict=True):
        near = curve[(curve[:, 0] < step) & (curve[:, 0] >= min(before, step - WINDOW)), 1]
        near = near[np.isfinite(near)]
        values.append(float(near.mean()) if len(near) else math.nan)
    return Curve(steps, np.array(values), "in training steps")


def _loss_of(passes: list[Answers], source: str) -> Curve | None:
    seen = [a for a in passes if a.losses and a.step and math.isfinite(a.loss)]
    if not seen:
        return None
    kinds = [(a.site, a.samples) for a in seen]
    usual = max(kinds, key=kinds.count)
    seen = [a for a, kind in zip(seen, kinds, strict=True) if kind == usual]
    return Curve(np.array([a.step for a in seen]), np.array([a.loss for a in seen]), source)


def _printed_loss(case: Case, part: str) -> Curve | None:
    for series in case.printed.series:
        if series.kind in ("loss", "error") and series.part == part and len(series.values) >= 2:
            values = np.array(series.values)
            steps = np.linspace(case.evidence.steps / len(values), case.evidence.steps, len(values))
            keep = np.isfinite(values)
            return Curve(steps[keep], values[keep], "printed") if keep.sum() >= 2 else None
    return None
