"""One class a picture: which is taken for which, each class on its own, thresholds, calibration."""

import numpy as np

from osler.metrics.classification import ClassificationScores
from osler.metrics.counts import ConfusionMatrix
from osler.metrics.per_class import ClassRow
from osler.metrics.thresholds import diagnose
from osler.reports.confusion import NAMED, confusion_figure
from osler.reports.content import ReportContent
from osler.reports.html import element, table
from osler.reports.measures import count, percent
from osler.reports.sections.probabilities import bar, calibration_section, curves_section, folded
from osler.reports.sections.section import Drawing, Section, block


def scores_of(content: ReportContent, split: str | None) -> ClassificationScores | None:
    """What a split's outcome gives, where there is one with pictures."""
    outcome = content.result.outcomes.get(split or "")
    if outcome is None or not len(outcome.indices):
        return None
    return ClassificationScores(np.asarray(outcome.predictions), np.asarray(outcome.targets), content.subject.names)


def confusions(content: ReportContent) -> Section | None:
    """The matrix and the list of the most frequent confusions."""
    scores = scores_of(content, content.studied)
    if scores is None:
        return None
    matrix = scores.confusion
    note = f"{count(int(matrix.counts.sum()), f'{content.studied} picture')}; blank where there are none."
    if len(matrix.names) > NAMED:
        note += " Classes are numbered from 0, as in the table of all classes below."
    lede = (
        "Each row is a true class, each column an answer. A perfect network fills only the diagonal; what stands "
        "beside it shows which classes look alike to the network."
    )
    return confusion_section(matrix, lede, note, "Pictures")


def confusion_section(matrix: ConfusionMatrix, lede: str, note: str, counted: str) -> Section:
    """A matrix with its note, and the most frequent confusions; `counted` says what was counted."""
    kind = "cells dense" if 12 < len(matrix.names) <= NAMED else "cells"
    drawing = Drawing("confusion", confusion_figure(matrix), "Confusion matrix", note, kind)
    support = dict(zip(matrix.names, matrix.counts.sum(axis=1).tolist(), strict=True))
    rows: list[list[object]] = [[t, p, f"{n:,}", percent(n / support[t])] for t, p, n in matrix.worst()]
    heads = ["Truly", "Called", counted, "Of its class"]
    listed = table("Most frequent confusions", heads, rows, class_="pairs") if rows else None
    return Section("confusion", "What is taken for what", lede, block(drawing.html(), listed), [drawing])


def per_class(content: ReportContent) -> Section | None:
    """Precision, recall and F1 of each class, the weakest first."""
    scores = scores_of(content, content.studied)
    if scores is None:
        return None
    found = scores.per_class()
    numbered = len(found) > NAMED

    def cells(i: int, row: ClassRow) -> list[object]:
        name = f"{i} · {row.name}" if numbered else row.name
        return [name, f"{row.support:,}", bar(row.precision), bar(row.recall), bar(row.f1)]

    rows = [cells(i, row) for i, row in sorted(enumerate(found), key=lambda pair: (pair[1].f1, pair[0]))]
    lede = (
        "Weakest first. Precision: of the pictures called so, how many are. Recall: of those that are, how many "
        "were called so. F1 is their harmonic mean."
    )
    heads = ["Class", "Pictures", "Precision", "Recall", "F1"]
    return Section("classes", "Class by class", lede, folded("Each class", heads, rows))


def thresholds(content: ReportContent) -> Section | None:
    """Precision-recall and ROC curves. Of two classes the second is taken as the positive one, and judged in words."""
    scores = scores_of(content, content.studied)
    if scores is None:
        return None
    names = scores.names
    if len(names) != 2:
        asked = dict(enumerate(names))
        return curves_section(scores, asked, "Each class against all others.")
    words = element("p", diagnose(scores.probabilities[:, 1], scores.targets == 1))
    return curves_section(scores, {1: names[1]}, f"{names[1]} against {names[0]}.", words)


def calibration(content: ReportContent) -> Section | None:
    """Whether the probabilities mean what they say."""
    scores = scores_of(content, content.studied)
    return None if scores is None else calibration_section(scores.reliability(), "pictures")
