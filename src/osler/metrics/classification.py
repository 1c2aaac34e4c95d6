"""Everything by which a classifier with one class a picture is judged, from its probabilities."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from osler.metrics.agreement import accuracy, balanced_accuracy, kappa, matthews, top_k_accuracy
from osler.metrics.calibration import Reliability, brier_score, log_loss, reliability
from osler.metrics.counts import ConfusionMatrix, Counts, confusion_matrix
from osler.metrics.curves import Curve, average_precision, mean_over_classes, precision_recall_curve, roc_auc, roc_curve
from osler.metrics.per_class import ClassRow, Question, areas, class_rows
from osler.metrics.rates import average, f1, occurring, precision, recall


@dataclass(frozen=True)
class ClassificationScores:
    """Probabilities and true classes of a split, and what they give. Each part is computed when first asked for."""

    probabilities: Float[np.ndarray, "samples classes"]  # rows sum to 1
    targets: Int[np.ndarray, " samples"]
    names: tuple[str, ...]

    @cached_property
    def answers(self) -> Int[np.ndarray, " samples"]:
        """The most probable class of each sample; among equals the first."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confusion(self) -> ConfusionMatrix:
        """Truth (rows) against answers (columns)."""
        return confusion_matrix(self.targets, self.answers, self.names)

    @cached_property
    def counts(self) -> Counts:
        """Each class against the rest."""
        return self.confusion.one_against_rest()

    def values(self) -> dict[str, float]:
        """What the loop shows after every epoch.

        precision, recall and f1 are macro averages over the classes that occur; auc is the macro average of each class
        against the rest, NaN when it cannot be computed for any; top5 is there from six classes on.
        """
        occur = occurring(self.counts)
        values = {"accuracy": accuracy(self.confusion)}
        if len(self.names) > 5:
            values["top5"] = top_k_accuracy(self.probabilities, self.targets, 5)
        values |= {
            r.__name__: average(r, occur) if len(self.targets) else float("nan") for r in (precision, recall, f1)
        }
        values["auc"] = mean_over_classes(areas(roc_auc, self._questions()))
        values["calibration_error"] = self.reliability().error
        return values

    def further_values(self) -> dict[str, float]:
        """What an evaluation adds to `values`."""
        return {
            "balanced_accuracy": balanced_accuracy(self.confusion),
            "f1_micro": average(f1, self.counts, "micro"),
            "f1_weighted": average(f1, self.counts, "weighted"),
            "map": mean_over_classes(areas(average_precision, self._questions())),
            "kappa": kappa(self.confusion),
            "mcc": matthews(self.confusion),
            "log_loss": log_loss(self.probabilities, self.targets),
            "brier": brier_score(self.probabilities, self.targets),
        }

    def per_class(self) -> list[ClassRow]:
        """A row for each class, in the order of the names."""
        return class_rows(self.names, self.counts, self._questions())

    def roc(self, index: int) -> Curve:
        """The ROC curve of one class against the rest."""
        return roc_curve(self.probabilities[:, index], self.targets == index)

    def precision_recall(self, index: int) -> Curve:
        """The precision-recall curve of one class against the rest."""
        return precision_recall_curve(self.probabilities[:, index], self.targets == index)

    def reliability(self, *, bins: int = 15) -> Reliability:
        """How far the probability of the answered class can be believed."""
        return reliability(self.probabilities.max(axis=1), self.answers == self.targets, bins=bins)

    def _questions(self) -> Iterator[Question]:
        """Of each class: is it this one?"""
        return ((self.probabilities[:, i], self.targets == i) for i in range(len(self.names)))
