"""Objects in pictures: each class's average precision, what kinds of errors cost, confusions with background, curves."""

from collections.abc import Sequence

import numpy as np

from osler.metrics.detection_classes import ClassFound, classes_found
from osler.metrics.detection_confusion import detection_confusion
from osler.metrics.detection_curves import detection_curve
from osler.metrics.detection_errors import KINDS, Kind, errors_of
from osler.metrics.detection_matching import match_all
from osler.reports.confusion import NAMED
from osler.reports.content import ReportContent
from osler.reports.error_costs import error_costs_figure
from osler.reports.html import table
from osler.reports.measures import count, percent
from osler.reports.pr_roc import NAMED as NAMED_CURVES
from osler.reports.pr_roc import precision_recall_figure
from osler.reports.sections.classes import confusion_section
from osler.reports.sections.probabilities import bar, folded
from osler.reports.sections.section import Drawing, Section, block, pair
from osler.structures.detections import Detections, TrueObjects

Answers = tuple[Sequence[Detections], Sequence[TrueObjects]]

MEANING: dict[Kind, str] = {
    "classification": "the right place, the wrong class",
    "localisation": "the right class, but not near enough (IoU 0.1 to 0.5)",
    "both": "the wrong class, and not near enough",
    "duplicate": "an object that was found already, more surely",
    "background": "nothing is there (IoU up to 0.1)",
    "missed": "objects that nothing found, not even nearly",
}


def answers_of(content: ReportContent, split: str | None) -> Answers | None:
    """What was found and what is true in a split's pictures, where it has any."""
    outcome = content.result.outcomes.get(split or "")
    return None if outcome is None or not len(outcome.indices) else (outcome.predictions, outcome.targets)


def threshold_of(content: ReportContent) -> float:
    """The score from which an object counts as found."""
    given = np.atleast_1d(np.asarray(content.subject.threshold, dtype=np.float64))
    return float(given[0]) if len(given) else 0.5


def found_of(content: ReportContent, split: str | None) -> str:
    """How many objects were found, and how many that are not there, as a sentence with a space after it."""
    answers, threshold = answers_of(content, split), threshold_of(content)
    if answers is None:
        return ""
    matches = match_all(*answers, threshold=threshold)
    objects = sum(int((~m.ignored).sum()) for m in matches)
    found, false = (
        sum(int(v.sum()) for v in rows) for rows in zip(*((m.claimed, m.wrong) for m in matches), strict=True)
    )
    there = f"{found:,} of {count(objects, 'object')} found" if objects else "There is no object to find"
    return f"{there}, and {false:,} found wrongly, at a score of {threshold:g} or more. "


def per_class(content: ReportContent) -> Section | None:
    """Average precisions of each class, the weakest first; classes without objects last."""
    answers = answers_of(content, content.studied)
    if answers is None:
        return None
    found, truths = answers
    masks = any(t.masks is not None for t in truths) and any(f.masks is not None for f in found)
    rows = sorted(
        classes_found(found, truths, content.subject.names, masks=masks), key=lambda r: np.nan_to_num(r.ap, nan=2)
    )
    heads = ["Class", "Objects", "AP", *(["Mask AP"] if masks else []), "AP50", "AP75", "AR", "VOC", "VOC 2007"]
    lede = (
        "Weakest first. AP is the area under a class's precision-recall curve, the mean over ten overlaps (IoU 0.5 to "
        "0.95), as COCO counts it; AP50 and AP75 are those of one overlap, AR is the recall. VOC's numbers are at an "
        "overlap of 0.5: by its rule since 2010, and by the eleven recalls of 2007."
    )
    return Section("classes", "Class by class", lede, folded("Each class", heads, [cells(r, masks) for r in rows]))


def cells(row: ClassFound, masks: bool) -> list[object]:
    """A class's row of the table."""
    shares = [row.ap50, row.ap75, row.ar, row.voc, row.voc07]
    first = [bar(row.ap), *([bar(row.mask_ap)] if masks else [])]
    return [row.name, f"{row.objects:,}", *first, *(percent(v) for v in shares)]


def errors(content: ReportContent) -> Section | None:
    """How often it errs in each way, and what that costs."""
    answers = answers_of(content, content.studied)
    if answers is None:
        return None
    found = errors_of(match_all(*answers), len(content.subject.names))
    note = f"AP at IoU 0.5 is {percent(found.ap50)}; so much would each kind add if it alone were put right."
    drawing = Drawing("error_costs", error_costs_figure(found), "What each kind of error costs", note)
    order = sorted(KINDS, key=lambda kind: -found.costs[kind])
    rows: list[list[object]] = [[k.capitalize(), MEANING[k], f"{found.counts[k]:,}"] for k in order]
    listed = table("How often it errs, whatever the score", ["Kind", "What it is", "Times"], rows, class_="pairs")
    lede = (
        "Costs tell what to mend first: they weigh an error by its score, where counts do not. They do not add up, for "
        "one error can hide another (the analysis of Bolya et al. 2020)."
    )
    return Section("errors", "Why it is wrong", lede, block(pair(drawing), listed), [drawing])


def confusions(content: ReportContent) -> Section | None:
    """Classes taken for one another, objects not found, and what was found where nothing is."""
    answers = answers_of(content, content.studied)
    if answers is None:
        return None
    threshold = threshold_of(content)
    matrix = detection_confusion(match_all(*answers, threshold=threshold), content.subject.names)
    note = f"Objects of the {content.studied} pictures, at a score of {threshold:g} or more and an IoU of 0.5 or more."
    if len(matrix.names) > NAMED:
        note += " Classes are numbered from 0 in their order; background is the last."
    lede = (
        "Each row is a true class, each column what was found. The last column holds objects that were not found, the "
        "last row what was found where nothing is, or nothing more: the second box on one object."
    )
    return confusion_section(matrix, lede, note, "Objects")


def curves(content: ReportContent) -> Section | None:
    """Precision and recall of each class over all scores."""
    answers = answers_of(content, content.studied)
    if answers is None:
        return None
    matches, names = match_all(*answers), content.subject.names
    curves = {name: detection_curve(matches, label) for label, name in enumerate(names)}
    curves = {name: curve for name, curve in curves.items() if np.isfinite(curve.area)}
    if not curves:
        return None
    note = "At an IoU of 0.5." + (f" The weakest {NAMED_CURVES} are named." if len(curves) > NAMED_CURVES else "")
    drawing = Drawing("precision_recall", precision_recall_figure(curves), "Precision and recall", note)
    lede = (
        "What one gains and loses by asking for more certainty before an object counts as found. Good curves fill their "
        "corner; where one falls to nothing, the other objects of the class were found at no score."
    )
    return Section("thresholds", "At every score", lede, pair(drawing), [drawing])
