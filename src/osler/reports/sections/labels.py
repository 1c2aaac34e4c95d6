"""Several labels a picture: each label's average precision, curves, calibration."""

import numpy as np

from osler.metrics.multilabel import MultilabelScores
from osler.reports.content import ReportContent
from osler.reports.sections.probabilities import bar, calibration_section, curves_section, folded
from osler.reports.sections.section import Section


def scores_of(content: ReportContent) -> MultilabelScores | None:
    """What the studied split's outcome gives, where there is one with pictures."""
    outcome = content.result.outcomes.get(content.studied or "")
    if outcome is None or not len(outcome.indices):
        return None
    names = content.subject.names
    thresholds = np.broadcast_to(np.asarray(content.subject.threshold, dtype=np.float64), (len(names),))
    return MultilabelScores(np.asarray(outcome.predictions), np.asarray(outcome.targets), names, thresholds)


def per_label(content: ReportContent) -> Section | None:
    """A row for each label, the lowest average precision first; labels that never occur come last."""
    scores = scores_of(content)
    if scores is None:
        return None
    found = sorted(scores.per_class(), key=lambda row: np.nan_to_num(row.average_precision, nan=2))
    rows: list[list[object]] = [
        [r.name, f"{r.support:,}", bar(r.average_precision), bar(r.precision), bar(r.recall), bar(r.f1)] for r in found
    ]
    one = len(set(scores.thresholds.tolist())) == 1
    held = f"a probability of {scores.thresholds[0]:g} or more" if one else "the threshold of each label"
    lede = (
        "Weakest first. Average precision judges in which order pictures are ranked for a label; precision, recall "
        f"and F1 hold at {held}."
    )
    heads = ["Label", "Pictures", "Average precision", "Precision", "Recall", "F1"]
    return Section("labels", "Label by label", lede, folded("Each label", heads, rows))


def label_curves(content: ReportContent) -> Section | None:
    """Precision-recall and ROC curves of the labels."""
    scores = scores_of(content)
    return None if scores is None else curves_section(scores, dict(enumerate(scores.names)), "Each label on its own.")


def label_calibration(content: ReportContent) -> Section | None:
    """Whether a label that is given with 70 % holds in seven of ten pictures; all labels together."""
    scores = scores_of(content)
    return None if scores is None else calibration_section(scores.reliability(), "labels")
