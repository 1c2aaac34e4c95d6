"""A row for each class or label: how often it occurs, how well it is found, and the areas under its curves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from osler.metrics.counts import Counts
from osler.metrics.curves import Scores, Truth, average_precision, roc_auc
from osler.metrics.rates import f1, precision, recall

Question = tuple[Scores, Truth]  # of each sample: the score of one class or label, and whether it is true


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class against the rest, or one label. Areas are NaN where the split holds no such sample, or nothing else."""

    name: str
    support: int  # samples of the class in truth
    precision: float
    recall: float
    f1: float
    roc_auc: float
    average_precision: float


def class_rows(names: Sequence[str], counts: Counts, questions: Iterable[Question]) -> list[ClassRow]:
    """The rows, in the order of the names."""
    both = [(roc_auc(scores, truth), average_precision(scores, truth)) for scores, truth in questions]
    rates = zip(precision(counts).tolist(), recall(counts).tolist(), f1(counts).tolist(), strict=True)
    columns = zip(names, counts.support.tolist(), rates, both, strict=True)
    return [ClassRow(name, support, p, r, f, roc, ap) for name, support, (p, r, f), (roc, ap) in columns]


def areas(area: Callable[[Scores, Truth], float], questions: Iterable[Question]) -> list[float]:
    """`area` (a function of scores and truth) of each question."""
    return [area(scores, truth) for scores, truth in questions]
