"""Precision and recall are far apart: one kind of mistake is made many times as often as the other."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import why_not_plain
from osler.doctor.metric_reading import compares_answers
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import Answers, ModelSeen, Site

FAULT = Fault(
    name="precision-recall-imbalance",
    category="evaluation",
    phase="after",
    title="Precision and recall are far apart",
    symptom="Nearly everything, or nearly nothing, is called positive; accuracy may look well.",
    cause=(
        "The edge from which an answer counts as positive does not fit the scores: because classes are very unequal, "
        "the loss "
        "is weighted too much to one side, or the edge itself is misplaced (a half on scores that are no "
        "probabilities, a "
        "sigmoid applied twice)."
    ),
    seen_by=(
        "two classes: precision and recall of the positive or the rarer class apart by 0.4 or more in the last "
        "evaluation, on at least ten mistakes of one kind, five times as many as of the other"
    ),
    remedies=(
        Remedy(
            "move the edge",
            (
                "Choose the edge on validation data where both errors cost alike, and check that it is applied to "
                "probabilities."
            ),
        ),
        Remedy("balance the classes", "Weigh the loss by inverse frequency, or draw classes evenly."),
    ),
    sources=(
        "Saito, Rehmsmeier 2015: precision and recall under unequal classes",
        "SageMaker Debugger, ClassImbalance: misprediction ratio per class",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Balance:
    """Of a class: what was called it rightly, wrongly, and what was missed."""

    label: str
    precision: float
    recall: float
    text: str


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Reads the last evaluation of two classes, else the figures that were printed."""
    if why_not_plain(case):
        return
    seen = next((b for m in case.models[:1] if (b := _judged(case, m)) is not None), None) or _printed(case)
    if seen is None:
        return
    yield FAULT.found(
        f"precision of {seen.label} is {seen.precision:.2f} and recall {seen.recall:.2f} at the end{seen.text}",
        where=case.line(_line(case)),
        certainty=0.62,
    )


def _judged(case: Case, model: ModelSeen) -> Balance | None:
    passes = [a for a in case.evaluations(model) if a.judged >= thresholds.ANSWERS_LEAST and a.step]
    if not passes or not set(passes[-1].labelled) <= {0, 1}:
        return None
    last = passes[-1]
    return _balance(last, 1 if last.labelled[1] <= last.labelled[0] else 0) or _balance(last, 1)


def _balance(last: Answers, label: int) -> Balance | None:
    right = last.confusion.get((label, label), 0)
    missed, wrongly = last.confusion.get((label, 1 - label), 0), last.confusion.get((1 - label, label), 0)
    if not right + missed or not last.labelled[1 - label]:
        return None
    precision = right / (right + wrongly) if right + wrongly else 0.0
    recall = right / (right + missed)
    low, high = sorted((missed, wrongly))
    apart = abs(precision - recall) >= thresholds.APART or (recall == 0 and missed >= thresholds.MISTAKES)
    if (
        not apart
        or min(precision, recall) > thresholds.LOW
        or high < thresholds.MISTAKES
        or high < thresholds.MISTAKES_RATIO * low
    ):
        return None
    text = (
        f": of {right + missed:,} samples {missed:,} are missed, and {wrongly:,} of {last.labelled[1 - label]:,} others "
        "are taken for it"
    )
    return Balance(f"class {label}", precision, recall, text)


def _printed(case: Case) -> Balance | None:
    precisions, recalls = case.printed.of("precision"), case.printed.of("recall")
    for precision, recall in product(precisions, recalls):
        if precision.lines != recall.lines or not precision.part == recall.part != "train":
            continue
        last = [(float(p), float(r)) for p, r in zip(precision.shares[-3:], recall.shares[-3:], strict=True)]
        pairs = [(p, r) for p, r in last if p or r]
        if not pairs and len(last) == 3:
            return Balance("the positive class", 0.0, 0.0, ", as printed: nothing is rightly called positive")
        sound = all(0 <= value <= 1 for pair in pairs for value in pair)
        if (
            pairs
            and sound
            and min(abs(p - r) for p, r in pairs) >= thresholds.APART
            and min(pairs[-1]) <= thresholds.LOW
        ):
            return Balance("the positive class", *pairs[-1], ", as printed")
    return None


def _line(case: Case) -> int | None:
    """An edge far from a half, else a lopsided weight of the loss, else where the answers are made, else the data."""
    for node in ast.walk(case.script.tree):
        if (
            isinstance(node, ast.Compare)
            and len(node.ops) == 1
            and isinstance(node.ops[0], (ast.Gt, ast.GtE, ast.Lt, ast.LtE))
        ):
            edge = node.comparators[0]
            if isinstance(edge, ast.Constant) and isinstance(edge.value, float) and 0 < edge.value < 1:
                apart = abs(edge.value - 0.5) >= thresholds.EDGE_OFF
                if apart and compares_answers(case, Site(case.evidence.script, node.lineno)):
                    return node.lineno
    for loss in case.losses("binary_cross_entropy_with_logits", "cross_entropy"):
        if loss.options.get("pos_weight") or loss.options.get("weight"):
            made = case.script.calls_of("BCEWithLogitsLoss", "CrossEntropyLoss")
            return made[0].line if made else loss.site.line if loss.site else None
    for model in case.evidence.trained_models:
        for (done, site), _ in model.applied.most_common():
            if done.startswith(">") or done in ("round", "sigmoid"):
                return site.line
    loader = next((x for x in case.evidence.loaders if x.used_for["train"] and x.site), None)
    return loader.site.line if loader is not None and loader.site else None
