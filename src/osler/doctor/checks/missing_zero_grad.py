"""Gradients of earlier batches are never cleared."""

import ast
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import OptimizerSeen

FAULT = Fault(
    name="missing-zero-grad",
    category="optimisation",
    phase="during",
    title="Gradients are never cleared",
    symptom="The loss falls for a few steps, then rises or swings, and accuracy gets worse from epoch to epoch.",
    cause=(
        "backward adds to the gradients that are there. Where they are not cleared between updates, every update follows the "
        "sum of the gradients of all batches so far: it grows without end, and most of it points where the weights were long ago."
    ),
    seen_by="at most updates looked at, gradients were as they had been left by the update before; accumulation clears them after",
    remedies=(
        Remedy("clear the gradients", "Call zero_grad() of the optimizer in every iteration, before backward."),
    ),
    sources=(
        "PyTorch documentation, Tensor.backward: gradients are accumulated in the leaves",
        "pytorch/pytorch issue 47175 (2020), asked to warn of it and not of accumulation",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at whether gradients were cleared between two updates, by the values that they had."""
    for optimizer in case.optimizers:
        seen = optimizer.looked - 1
        if seen < thresholds.STALE_STEPS or optimizer.stale_steps < thresholds.STALE_SHARE * seen:
            continue
        cleared = sum(optimizer.zero_sites.values())
        if cleared >= thresholds.STALE_SHARE * optimizer.steps:
            continue  # a closure clears them inside of the step
        where = _where(case, optimizer)
        rarely = f"; zero_grad was called {cleared} times" if cleared else ""
        yield FAULT.found(
            f"at {optimizer.stale_steps} of {seen} updates looked at, no gradient had been cleared since the update before"
            f"{rarely}: after {optimizer.steps:,} updates the gradient holds the sum of as many batches",
            where=where,
            certainty=0.97,
            change=_change(case, where),
        )


def _where(case: Case, optimizer: OptimizerSeen) -> Where:
    """A zero_grad that is called too rarely, one that is named and not called, else the line of backward."""
    named = [
        node.lineno
        for node in ast.walk(case.script.tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and node.value.attr == "zero_grad"
    ]
    if named:
        return case.line(named[0])
    if optimizer.zero_sites:
        return case.where(optimizer.zero_sites.most_common(1)[0][0])
    lines = sorted(case.evidence.backwards, key=lambda b: -b.calls)
    if lines and lines[0].site is not None:
        return case.where(lines[0].site)
    return case.where(optimizer.step_sites.most_common(1)[0][0] if optimizer.step_sites else optimizer.site)


def _change(case: Case, where: Where) -> str | None:
    step = next((c for c in case.script.calls_of("step") if where.line and abs(c.line - where.line) <= 4), None)
    if step is None:
        return None
    return f"Call {step.name.rpartition('.')[0]}.zero_grad() in every iteration, before backward."
