"""Gradients are clipped to a small part of their size at nearly every update."""

import ast
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import course, taught_loss
from osler.doctor.settings import setting_line
from osler.doctor.update_sizes import is_adaptive, update_ratios
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import Clipping, OptimizerSeen

FAULT = Fault(
    name="clipping-too-strong",
    category="optimisation",
    phase="during",
    title="Gradient clipping is too strong",
    symptom="The loss falls in a straight line, far too slowly, whatever the batch.",
    cause=(
        "Clipping is meant for the rare gradient that is far larger than the rest. Where the limit lies far below the usual "
        "size, every update is cut to the same small length: the step is the limit times the rate, and no longer depends on how "
        "much there is to gain."
    ),
    seen_by="more than half of all gradients are cut, to a tenth or less of their size, and updates are below 1e-4 of the weights",
    remedies=(
        Remedy(
            "raise the limit",
            "Print the norms that clip_grad_norm_ returns, and set the limit near their 90th percentile.",
        ),
        Remedy("leave clipping out", "Clip only where norms jump; else lower the rate instead."),
    ),
    sources=(
        "Godbole et al. 2023, Deep learning tuning playbook: clip at the 90th percentile; more than half clipped is too much",
        "Pascanu, Mikolov, Bengio 2013, On the difficulty of training recurrent neural networks, section 3.2",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares norms before clipping with the limit."""
    by_hand = _by_hand(case)
    if not case.evidence.clippings and by_hand is None:
        raise NotSeen("gradients are not clipped")
    optimizer = case.optimizers[0]
    if is_adaptive(optimizer) or _learnt(case):
        return  # an adaptive optimizer takes the common factor out again
    ratios = [r.largest for r in update_ratios(case, optimizer)]
    moved = float(np.median(ratios)) if ratios else float("nan")
    if not moved < thresholds.CLIPPED_RATIO:
        return
    for clipping in case.evidence.clippings:
        finding = _norm(case, clipping, moved) if clipping.kind == "norm" else _values(case, clipping, optimizer, moved)
        if finding is not None:
            yield finding
    if by_hand is not None:
        yield from _clamped(case, by_hand, optimizer, moved)


def _learnt(case: Case) -> bool:
    taught, loss = taught_loss(case), course(case)
    if taught is not None and taught.left == taught.left:
        return taught.left < thresholds.CLIPPED_LEFT
    return bool(loss.start > 0 and loss.end < thresholds.CLIPPED_LEFT * loss.start)


def _norm(case: Case, clipping: Clipping, moved: float) -> Finding | None:
    totals = np.array([t for t in clipping.totals if np.isfinite(t)])
    if len(totals) < thresholds.CLIPPED_CALLS or not clipping.limit > 0:
        return None
    share, usual = float(np.mean(totals > clipping.limit)), float(np.median(totals))
    if share < thresholds.CLIPPED_SHARE or usual < thresholds.CLIPPED_FACTOR * clipping.limit:
        return None
    high = float(np.quantile(totals, 0.9))
    return FAULT.found(
        f"{share:.0%} of {len(totals)} gradients were clipped to a norm of {clipping.limit:g}; their usual norm is {usual:.3g}, "
        f"so an update is 1/{usual / clipping.limit:,.0f} of what it would be, {moved:.1e} of the weights",
        where=_where(case, clipping, "max_norm"),
        certainty=0.9,
        change=f"Raise the limit to about {high:.2g}, the 90th percentile of the norms seen.",
    )


def _values(case: Case, clipping: Clipping, optimizer: OptimizerSeen, moved: float) -> Finding | None:
    share = _at_limit(case, optimizer, clipping.limit)
    if share is None or clipping.calls < thresholds.CLIPPED_CALLS:
        return None
    return FAULT.found(
        f"every value of the gradients is clipped to {clipping.limit:g}, and after that they lie at {share:.0%} of "
        f"what they could "
        f"be at most: nearly all are cut; updates are {moved:.1e} of the weights",
        where=_where(case, clipping, "clip_value"),
        certainty=0.88,
        change="Clip the norm instead, near the 90th percentile of what it is.",
    )


def _clamped(case: Case, line: int, optimizer: OptimizerSeen, moved: float) -> Iterator[Finding]:
    """Gradients that the program clamps itself."""
    call = next(c for c in case.script.calls_of("clamp_", "clip_") if c.line == line)
    limits = [
        abs(n.value) for n in ast.walk(call.node) if isinstance(n, ast.Constant) and isinstance(n.value, (int, float))
    ]
    limit = max(limits, default=0.0)
    share = _at_limit(case, optimizer, limit) if limit > 0 else None
    if share is not None:
        yield FAULT.found(
            f"every value of the gradients is clamped to {limit:g}, and after that they lie at {share:.0%} of what "
            f"they could be at "
            f"most: nearly all are cut; updates are {moved:.1e} of the weights",
            where=case.line(line),
            certainty=0.85,
        )


def _at_limit(case: Case, optimizer: OptimizerSeen, limit: float) -> float | None:
    """How near the gradients of matrices come to where every single value is at the limit; None where that is not near."""
    counts = {n: p.start.count for m in case.evidence.models for n, p in m.parameters.items() if len(p.shape) >= 2}
    shares = [
        float(np.median([g / (limit * counts[n] ** 0.5) for n, g in s.gradients.items() if n in counts]))
        for s in optimizer.samples
        if any(n in counts for n in s.gradients)
    ]
    share = float(np.median(shares)) if shares else 0.0
    return min(share, 1.0) if share > thresholds.CLIPPED_VALUES else None


def _where(case: Case, clipping: Clipping, name: str) -> Where:
    line = setting_line(case.script, clipping.site, name, 1, "clip_grad_norm_", "clip_grad_value_")
    return case.line(line) if line else case.where(clipping.site)


def _by_hand(case: Case) -> int | None:
    """A line that clamps gradients in place."""
    return next((c.line for c in case.script.calls_of("clamp_", "clip_") if ".grad" in c.name), None)
