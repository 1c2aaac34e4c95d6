"""A handful of samples is learnt by heart."""

import ast
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.data_lines import calls_any, line_of, nearest
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.provenance import Step
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="too-few-samples",
    category="data",
    phase="before",
    title="Too few samples for the network",
    symptom="Training accuracy reaches 1 within moments, and held-out accuracy stays far below.",
    cause=(
        "A network with thousands of parameters can learn some dozens of samples by heart without finding "
        "what they have in common. "
        "Often a limit left over from debugging keeps the rest of the data away."
    ),
    seen_by=(
        "at most 30 different training samples per class (100 in all), at least 5 parameters a sample, and accuracy on held-out "
        "samples lower by 8 points or more"
    ),
    remedies=(
        Remedy("use more data", "Remove the limit on the samples, or collect more."),
        Remedy(
            "make more of them", "Augment, start from a network that was trained on other data, or take a smaller one."
        ),
    ),
    sources=(
        "Zhang et al. 2017: networks memorise",
        "theorangeduck.com, My Neural Network isn't working",
        "the doctor's own calibration",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Counts different training samples, and compares the two accuracies."""
    model = case.models[0]
    data = case.data(model)
    if not data.covered:
        raise NotSeen("training never came round to the samples that it began with, so that they were not counted")
    count = len(data.fresh)
    classes = len(np.unique(data.fresh.classes)) if data.fresh.classes is not None else 1
    limit = max(thresholds.FEW_AT_LEAST, thresholds.FEW_PER_CLASS * classes)
    parameters = sum(int(np.prod(p.shape)) for p in model.parameters.values() if p.requires_grad)
    if count > limit or parameters < 5 * count or (data.counts and count > thresholds.FEW_AT_LEAST):
        return
    gap = _gap(case, model)
    if gap is None:
        return
    yield FAULT.found(
        f"{count} different samples are trained on, {count / classes:.0f} a class, by a network of "
        f"{parameters:,} parameters; {gap}",
        where=_place(case, model, count),
        severity="critical",
        certainty=0.88,
    )


def _gap(case: Case, model: ModelSeen) -> str | None:
    """In words how much worse held-out samples do."""
    passes = [a for a in case.evaluations(model) if a.judged >= 20]
    trained = next((a for a in reversed(case.training_evaluations(model)) if a.judged), None) or model.last_training
    if passes and trained is not None and trained.judged:
        error = 2 * np.sqrt(0.25 / passes[-1].judged)
        if trained.accuracy - passes[-1].accuracy < thresholds.FEW_GAP + error:
            return None
        return f"accuracy is {trained.accuracy:.0%} on them and {passes[-1].accuracy:.0%} on {passes[-1].judged:,} held-out samples"
    errors = [a for a in case.evaluations(model) if a.errors]
    if errors and trained is not None and trained.errors:
        ratio = float(np.mean(errors[-1].errors)) / max(float(np.mean(trained.errors)), 1e-12)
        return f"the error on held-out samples is {ratio:.1f} times as large" if ratio > 3 else None
    return None


def _place(case: Case, model: ModelSeen, count: int) -> Where:
    """Where the number of samples stands: on the way of the inputs, in an option's default, anywhere; else where they are cut."""
    steps = case.lines.inputs(model)
    named = nearest(steps, lambda s: _holds(s.node, count))
    if named is not None:
        return case.line(named.line)
    anywhere = [
        n
        for n in ast.walk(case.script.tree)
        if isinstance(n, ast.Constant) and n.value == count and type(n.value) is int
    ]
    if anywhere:
        return case.line(min(n.lineno for n in anywhere))
    return case.line(
        line_of(nearest(steps, calls_any("Subset", "train_test_split", "random_split"), _cut, calls_any("DataLoader")))
    )


def _holds(node: ast.AST, count: int) -> bool:
    return any(isinstance(n, ast.Constant) and type(n.value) is int and n.value == count for n in ast.walk(node))


def _cut(step: Step) -> bool:
    return any(isinstance(n, ast.Slice) and (n.upper is not None or n.step is not None) for n in ast.walk(step.node))
