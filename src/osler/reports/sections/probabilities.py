"""What is shown of probabilities, of classes and of labels alike: curves over all thresholds, calibration, bars."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from osler.metrics.calibration import Reliability
from osler.metrics.curves import Curve
from osler.reports.calibration import reliability_figure
from osler.reports.html import Html, element, table
from osler.reports.measures import percent
from osler.reports.pr_roc import NAMED, precision_recall_figure, roc_figure
from osler.reports.sections.section import Drawing, Section, block, pair

LISTED = 20  # rows of a table before the rest is folded away


class HasCurves(Protocol):
    """Scores that know the curves of each class or label by its index."""

    def roc(self, index: int) -> Curve: ...  # noqa: D102

    def precision_recall(self, index: int) -> Curve: ...  # noqa: D102


def curves_section(scores: HasCurves, names: Mapping[int, str], whom: str, words: Html | None = None) -> Section | None:
    """Precision-recall and ROC curves of the classes or labels asked for; what never occurs has none."""
    chosen = {name: scores.precision_recall(i) for i, name in names.items()}
    roc = {name: scores.roc(i) for i, name in names.items()}
    chosen, roc = ({n: c for n, c in curves.items() if np.isfinite(c.area)} for curves in (chosen, roc))
    if not chosen or not roc:
        return None
    note = whom + (f" The weakest {NAMED} are named." if len(names) > NAMED else "")
    drawings = [
        Drawing("precision_recall", precision_recall_figure(chosen), "Precision and recall", note),
        Drawing("roc", roc_figure(roc), "ROC: hits and false alarms", note),
    ]
    lede = (
        "What one gains and loses by asking for more certainty before the answer is yes. Good curves fill their corner."
    )
    return Section("thresholds", "At every threshold", lede, block(pair(*drawings), words), drawings)


def calibration_section(found: Reliability, of: str) -> Section:
    """The reliability diagram, with the calibration error in words."""
    note = f"Expected calibration error {percent(found.error)}: so far is confidence from truth on average."
    drawing = Drawing("calibration", reliability_figure(found, of=of), "Confidence and truth", note)
    lede = (
        "Of the answers that are 90 % sure, nine in ten should be right: then the points lie on the diagonal. Above "
        "it the network is right more often than it says, below it is surer than it should be."
    )
    return Section("calibration", "Can its confidence be trusted?", lede, pair(drawing), [drawing])


def bar(share: float) -> Html | str:
    """A share in per cent over a bar of its length; a dash where it is undefined."""
    if not np.isfinite(share):
        return "–"
    return element("span", percent(share), class_="bar", style=f"--share:{share:.3f}")


def folded(caption: str, heads: list[str], rows: list[list[object]]) -> Html:
    """A table; of many rows the first stand open and all are a click away."""
    if len(rows) <= LISTED:
        return table(caption, heads, rows)
    first = table(f"{caption}: the weakest {LISTED // 2} of {len(rows)}", heads, rows[: LISTED // 2])
    rest = element("details", element("summary", f"All {len(rows)}"), table(f"{caption}, all", heads, rows))
    return block(first, rest)
