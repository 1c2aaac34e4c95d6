"""True and false positives and negatives, and the confusion matrix that they come from.

Everything that judges decisions (not probabilities) is computed from these counts, so a hundred thousand samples cost
one pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from osler.structures.errors import DataError


@dataclass(frozen=True, slots=True)
class Counts:
    """The four counts of one or several yes-or-no questions; arrays of one shape, a question each."""

    true_positives: Int[np.ndarray, " questions"]
    false_positives: Int[np.ndarray, " questions"]
    false_negatives: Int[np.ndarray, " questions"]
    true_negatives: Int[np.ndarray, " questions"]

    @property
    def support(self) -> Int[np.ndarray, " questions"]:
        """How many samples are positive in truth."""
        return self.true_positives + self.false_negatives

    def select(self, keep: Bool[np.ndarray, " questions"]) -> "Counts":
        """The counts of some of the questions."""
        return Counts(*(v[keep] for v in self._all()))

    def total(self) -> "Counts":
        """The counts of all questions together, as one question."""
        return Counts(*(np.atleast_1d(v.sum()) for v in self._all()))

    def _all(self) -> tuple[np.ndarray, ...]:
        return self.true_positives, self.false_positives, self.false_negatives, self.true_negatives


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """How often each class (row: the truth) was answered as each class (column: the answer)."""

    counts: Int[np.ndarray, "classes classes"]
    names: tuple[str, ...]

    def one_against_rest(self) -> Counts:
        """For each class the question: is it this one?"""
        hits = np.diag(self.counts)
        answered, true = self.counts.sum(axis=0), self.counts.sum(axis=1)
        return Counts(hits, answered - hits, true - hits, self.counts.sum() - answered - true + hits)

    def worst(self, limit: int = 10) -> list[tuple[str, str, int]]:
        """The most frequent confusions as (truth, answer, times), most frequent first; none that never happened."""
        wrong = self.counts * (1 - np.eye(len(self.names), dtype=self.counts.dtype))
        order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
        places = [divmod(int(i), len(self.names)) for i in order]
        return [(self.names[r], self.names[c], int(wrong[r, c])) for r, c in places if wrong[r, c]]

    def __str__(self) -> str:
        """A table whose rows say what is true and whose columns say what was answered."""
        head = ["true \\ answered", *self.names]
        lines = [head, *([n, *map(str, row)] for n, row in zip(self.names, self.counts.tolist(), strict=True))]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in lines)


def confusion_matrix(
    targets: Int[np.ndarray, " samples"], answers: Int[np.ndarray, " samples"], names: Sequence[str]
) -> ConfusionMatrix:
    """The confusion matrix of answered against true classes, both as indices into `names`.

    Raises:
        DataError: an index lies outside the names.
    """
    classes = len(names)
    for what, values in (("A target", targets), ("An answer", answers)):
        outside = values[(values < 0) | (values >= classes)]
        if len(outside):
            raise DataError(
                f"{what} has class index {int(outside[0])}, but there are {classes} classes (0 to {classes - 1})."
            )
    flat = np.bincount(targets.astype(np.int64) * classes + answers, minlength=classes * classes)
    return ConfusionMatrix(flat.reshape(classes, classes), tuple(names))


def label_counts(
    targets: Int[np.ndarray, "samples labels"] | Bool[np.ndarray, "samples labels"],
    answers: Int[np.ndarray, "samples labels"] | Bool[np.ndarray, "samples labels"],
    *,
    by_sample: bool = False,
) -> Counts:
    """The counts of each label over all samples; `by_sample`: of each sample over all labels. Entries are 0 or 1."""
    t, a, axis = targets.astype(bool), answers.astype(bool), 1 if by_sample else 0
    cells = (t & a, ~t & a, t & ~a, ~t & ~a)
    return Counts(*(c.sum(axis=axis, dtype=np.int64) for c in cells))
