"""Figures that a script prints beside those that we computed, and the lines at which it computes them."""

import ast
import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.printed import PrintedSeries
from osler.doctor.script_reading import dotted
from osler.doctor.training_loop import enclosing_function
from osler.vitals.evidence import Answers, ModelSeen, Site

OTHER_ACCURACIES = frozenset((
    "balanced", "macro", "class", "top5", "top3", "pixel", "token", "per", "avg", "average", "best", "max", "teacher", "ema",
    "swa", "knn", "gain", "diff", "difference", "delta", "change", "drop", "gap",
))  # fmt: skip
CHOOSING = ("argmax", "max", "round", "sigmoid", "topk", "sign", "softmax", "heaviside")


@dataclass(frozen=True)
class Differing:
    """A printed accuracy that is none of those that we computed."""

    text: str
    certainty: float
    last_batch: bool
    site: Site | None


def compares_answers(case: Case, site: Site) -> bool:
    """Whether a comparison at a line has, on one side only, what comes of a network's output."""
    statement = _statement(case, site.line)
    if statement is None:
        return True
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    sources = [a.value for name in sorted(names) for a in case.script.slice_of(name, before=site.line, depth=3)]
    for value in (statement, *sources):
        for node in ast.walk(value):
            if isinstance(node, ast.Call) and (
                dotted(node.func).rpartition(".")[2] in CHOOSING or _calls_network(case, node)
            ):
                return True
    return False


def _calls_network(case: Case, call: ast.Call) -> bool:
    name = dotted(call.func)
    return any(
        name in (m.name, f"self.{m.name}", "model", "net", "self.model", "self.net") for m in case.evidence.models
    )


def percent_wrongly(case: Case) -> tuple[str, int | None, float] | None:
    """An accuracy beyond what one can be: below 0, above 100, or above 1 where it is no percentage."""
    for series in case.printed.of("accuracy"):
        values = np.array([v for v in series.values if math.isfinite(v)])
        if not len(values) or OTHER_ACCURACIES & set(series.words):
            continue
        top = float(values.max())
        line = _accuracy_line(case)
        if values.min() < 0 or top > 100.5:
            return (
                f"an accuracy of {top if top > 100.5 else values.min():.5g} is printed (as '{series.name}'): none can "
                f"be",
                line,
                0.9,
            )
        if series.percent and top > 1.0:
            continue
        computed = [100 * a.accuracy for m in case.evidence.models for a in m.answers if a.judged]
        if top > 1.02 and computed and not _near_any(series.values, computed, 1.0):
            return (
                (
                    f"an accuracy of up to {top:.4g} is printed (as '{series.name}'), while at most "
                    f"{max(computed):.1f} % of the "
                    f"answers are right: the right ones are not divided by the number of samples"
                ),
                line,
                0.85,
            )
    return None


def _near_any(values: list[float], others: list[float], within: float) -> bool:
    near = [any(abs(v - o) <= within for o in others) for v in values]
    return float(np.mean(near)) >= 0.3


def printed_differently(case: Case, model: ModelSeen) -> Differing | None:
    """A printed accuracy, one a pass, that none of what we computed comes near."""
    passes = [a for a in case.evaluations(model) if a.judged and a.judged >= 0.99 * a.samples]
    outputs = [c.output.shape for c in model.calls if c.moment == "evaluate" and c.output is not None]
    # one answer a sample, with no edge to choose:
    plain = bool(outputs) and all(len(shape) == 2 and shape[1] > 1 for shape in outputs)
    if not passes or not plain or sum(m.call_counts["evaluate"] > 0 for m in case.evidence.models) > 1:
        return None
    others = [a for a in model.answers if a.judged]
    for series in case.printed.of("accuracy"):
        if OTHER_ACCURACIES & set(series.words) or not _may_be_evaluation(case, model, series):
            continue
        if len(series.values) != len(passes):
            continue
        shares = series.shares
        if _explained(shares, passes, others):
            continue
        return _differing(series, shares, passes)
    return None


def _may_be_evaluation(case: Case, model: ModelSeen, series: PrintedSeries) -> bool:
    """Named so; or the only accuracy that is printed, if it cannot be that of training either."""
    if series.part != "":
        return series.part == "evaluation"
    training = model.last_training.accuracy if model.last_training is not None else math.nan
    near = abs(training - float(series.shares[-1])) < thresholds.PRINTED_AS_TRAINING
    return len(case.printed.of("accuracy")) == 1 and not (math.isnan(training) or near)


def _explained(shares: np.ndarray, passes: list[Answers], others: list[Answers]) -> bool:
    tolerance = thresholds.PRINTED_TOLERANCE
    ways = [
        np.array([a.accuracy for a in passes]),
        np.array([np.mean([r / n for r, n in a.batches]) if a.batches else math.nan for a in passes]),
    ]
    merged = []
    for one in passes:
        same = [a for a in others if a.step == one.step]
        merged.append(sum(a.right for a in same) / sum(a.judged for a in same))
    ways.append(np.array(merged))
    for other in ([a.accuracy for a in others if a not in passes], [a.accuracy for a in others]):
        if len(other) == len(shares):
            ways.append(np.array(other))
    return any(np.mean(np.abs(way - shares) <= tolerance) >= 0.5 for way in ways if len(way) == len(shares))


def _differing(series: PrintedSeries, shares: np.ndarray, passes: list[Answers]) -> Differing | None:
    own = np.array([a.accuracy for a in passes])
    last = np.array([a.batches[-1][0] / a.batches[-1][1] if len(a.batches) > 1 else math.nan for a in passes])
    whole = (
        f"printed as '{series.name}': {shares[-1]:.3f} at the end, while {passes[-1].right:,} of {passes[-1].judged:,} "
        f"answers are right ({own[-1]:.3f})"
    )
    if np.mean(np.abs(last - shares) <= thresholds.PRINTED_TOLERANCE) >= 0.8:
        count = passes[-1].batches[-1][1]
        return Differing(
            f"{whole}: that is the accuracy of the last batch of {count} alone", 0.9, True, passes[-1].site
        )
    if float(np.median(np.abs(own - shares))) < thresholds.PRINTED_FAR:
        return None
    return Differing(whole, 0.7, False, passes[-1].site)


def swapped(case: Case, model: ModelSeen) -> tuple[str, int | None] | None:
    """That what is printed as precision is the recall, and the other way round; of two classes."""
    passes = [a for a in case.evaluations(model) if a.judged and set(a.labelled) <= {0, 1}]
    for precision, recall in product(case.printed.of("precision", least=2), case.printed.of("recall", least=2)):
        if not len(precision.values) == len(recall.values) == len(passes):
            continue
        own = np.array([_precision_and_recall(a) for a in passes])
        crossed = np.stack([recall.shares, precision.shares], axis=1)
        apart = np.abs(own[:, 0] - own[:, 1]) > 2 * thresholds.PRINTED_TOLERANCE
        same = np.all(np.abs(own - crossed) <= thresholds.PRINTED_TOLERANCE, axis=1)
        if apart.sum() >= 2 and same[apart].mean() >= 0.8:
            text = (
                f"{precision.shares[-1]:.3f} is printed as precision and {recall.shares[-1]:.3f} as recall, and they are "
                "the other way round"
            )
            return text, case.script.first_line("precision_score", "recall_score") or _named_line(case, "precision")
    return None


def _precision_and_recall(answers: Answers) -> tuple[float, float]:
    right = answers.confusion.get((1, 1), 0)
    return right / max(1, answers.predicted[1]), right / max(1, answers.labelled[1])


def _named_line(case: Case, name: str) -> int | None:
    found = [a.line for a in case.script.assignments if any(name[:4] in n.lower() for n in a.names)]
    return found[0] if found else None


def loss_by_samples(case: Case, model: ModelSeen) -> str | None:
    """That a printed validation loss is the batches' mean losses added up and divided by the number of samples."""
    passes = [a for a in case.evaluations(model) if len(a.losses) > 1]
    if any(x.counts["evaluate"] and x.options.get("reduction") == "sum" for x in case.evidence.losses):
        return None
    for series in case.printed.of("loss", "evaluation", least=2):
        own = np.array([a.loss for a in passes])
        if len(series.values) != len(passes) or not np.all(own > 0):
            continue
        ratios = np.array(series.values) / own
        share = np.array([len(a.losses) / a.samples for a in passes])
        if np.all(np.abs(ratios / share - 1) < 0.05) and share.max() < 0.5:
            return (
                f"printed as '{series.name}': {series.values[-1]:.4g}, while the mean loss is {own[-1]:.4g}: means over "
                f"batches are added up and divided by the {passes[-1].samples:,} samples, not by the "
                f"{len(passes[-1].losses)} batches"
            )
    return None


def last_batch_line(case: Case, differing: Differing) -> int | None:
    """Where the figure of the last batch is taken: the line in which the accuracy is computed."""
    return _accuracy_line(case, differing.site)


def ordering_line(case: Case, model: ModelSeen) -> int | None:
    """The line that computes the accuracy."""
    site = next((a.site for a in model.answers if a.site is not None), None)
    return _accuracy_line(case, site)


def _accuracy_line(case: Case, site: Site | None = None) -> int | None:
    """The line, in the function of an evaluation call where that is known, that divides or averages what was right."""
    function = enclosing_function(case.script, site.line) if site is not None else None
    first, last = (function.lineno, function.end_lineno or 10**9) if function else (0, 10**9)
    best: tuple[int, int] | None = None
    for node in ast.walk(case.script.tree):
        if not isinstance(node, (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)) or not first <= node.lineno <= last:
            continue
        if isinstance(node, ast.Expr) and not (isinstance(node.value, ast.Call) and dotted(node.value.func) == "print"):
            continue
        score = _about_accuracy(node)
        if score and (best is None or score > best[0]):
            best = (score, node.lineno)
    return best[1] if best else (site.line if site else None)


def _about_accuracy(node: ast.stmt) -> int:
    """How likely a statement computes an accuracy: a division or mean, of what is named so or compared."""
    text = ast.unparse(node)
    divides = any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) for n in ast.walk(node)) or ".mean(" in text
    named = any(word in text.lower() for word in ("acc", "correct", "right", "hit", "good"))
    return (2 * divides + named + ("==" in text)) if divides and (named or "==" in text) else 0


def _statement(case: Case, line: int) -> ast.stmt | None:
    holding = [
        n
        for n in ast.walk(case.script.tree)
        if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or n.lineno)
    ]
    return min(holding, key=lambda n: (n.end_lineno or n.lineno) - n.lineno, default=None)
