"""Everything by which a classifier with several labels a picture is judged, from its probabilities."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from osler.metrics.calibration import Reliability, reliability
from osler.metrics.counts import Counts, label_counts
from osler.metrics.curves import Curve, average_precision, mean_over_classes, precision_recall_curve, roc_auc, roc_curve
from osler.metrics.per_class import ClassRow, Question, areas, class_rows
from osler.metrics.rates import average, f1, precision, recall


@dataclass(frozen=True)
class MultilabelScores:
    """Probabilities and true labels of a split, and what they give. A label is answered from its threshold upward."""

    probabilities: Float[np.ndarray, "samples labels"]
    targets: Int[np.ndarray, "samples labels"]  # 0 or 1
    names: tuple[str, ...]
    thresholds: Float[np.ndarray, " labels"]

    @cached_property
    def answers(self) -> Bool[np.ndarray, "samples labels"]:
        """The labels given."""
        return self.probabilities >= self.thresholds

    @cached_property
    def counts(self) -> Counts:
        """Of each label over the samples."""
        return label_counts(self.targets, self.answers)

    def values(self) -> dict[str, float]:
        """What the loop shows: map (the mean over the labels that occur), f1 (macro), f1_micro, exact_match."""
        return {
            "map": mean_over_classes(areas(average_precision, self._questions())),
            "f1": average(f1, self.counts),
            "f1_micro": average(f1, self.counts, "micro"),
            "exact_match": float((self.answers == self.targets.astype(bool)).all(axis=1).mean()),
        }

    def further_values(self) -> dict[str, float]:
        """What an evaluation adds to `values`. f1_samples is the mean over the samples of the F1 of their labels."""
        by_sample = label_counts(self.targets, self.answers, by_sample=True)
        return {
            "precision": average(precision, self.counts),
            "recall": average(recall, self.counts),
            "f1_weighted": average(f1, self.counts, "weighted"),
            "f1_samples": average(f1, by_sample),
            "auc": mean_over_classes(areas(roc_auc, self._questions())),
            "hamming_loss": float((self.answers != self.targets.astype(bool)).mean()),
            "calibration_error": self.reliability().error,
        }

    def per_class(self) -> list[ClassRow]:
        """A row for each label, in the order of the names."""
        return class_rows(self.names, self.counts, self._questions())

    def roc(self, index: int) -> Curve:
        """The ROC curve of one label."""
        return roc_curve(self.probabilities[:, index], self.targets[:, index])

    def precision_recall(self, index: int) -> Curve:
        """The precision-recall curve of one label."""
        return precision_recall_curve(self.probabilities[:, index], self.targets[:, index])

    def reliability(self, *, bins: int = 15) -> Reliability:
        """How far the labels' probabilities can be believed, all labels together."""
        return reliability(self.probabilities.ravel(), self.targets.astype(bool).ravel(), bins=bins)

    def _questions(self) -> Iterator[Question]:
        """Of each label: is it there?"""
        return zip(self.probabilities.T, self.targets.T, strict=True)
