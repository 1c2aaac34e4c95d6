"""backward or step is missing, or they stand in the wrong order."""

import ast
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import OptimizerSeen

FAULT = Fault(
    name="missing-backward-or-step",
    category="optimisation",
    phase="during",
    title="backward or step is missing or out of order",
    symptom="The loss does not change, or hardly, whatever the rate.",
    cause=(
        "An update needs three calls in this order: clear the gradients, backward, step. Where one is missing, written without "
        "brackets, or stands outside of the loop, or where gradients are cleared between backward and step, there is nothing "
        "for the step to use, or nothing uses the gradient."
    ),
    seen_by="gradients are computed and no step follows, or steps find no gradient, by the order of calls in the run",
    remedies=(
        Remedy("put the calls in order", "In every iteration: optimizer.zero_grad(), loss.backward(), optimizer.step()."),
    ),
    sources=(
        "PyTorch tutorial, Optimizing Model Parameters: the three calls of the loop",
        "Jiang et al. 2025 (TrainCheck), invariants on the order of zero_grad, backward and step",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the order of calls."""
    counts = case.evidence.event_counts
    if not counts["B"] and not counts["S"]:
        if not counts["F"]:
            raise NotSeen("nothing was trained")
        yield from _neither(case)
        return
    if not counts["S"]:
        yield from _no_step(case)
        return
    for optimizer in case.optimizers:
        yield from _without_gradient(case, optimizer)
    yield from _thrown_away(case)


def _neither(case: Case) -> Iterator[Finding]:
    """Networks are called with gradients, an optimizer is made, and neither backward nor step is ever called."""
    made = _optimizer_line(case)
    called = max((m.call_counts["train:seen"] for m in case.evidence.models), default=0)
    named = _uncalled(case, "backward") or _uncalled(case, "step")
    losses = [x for x in case.evidence.losses if x.counts["train"] >= thresholds.ORDER_STEPS]
    if made is None or called < thresholds.ORDER_STEPS or not losses or case.script.calls_of("grad", "backward"):
        return
    yield FAULT.found(
        f"the network was called {called:,} times and a loss was computed, and neither backward nor step was ever called",
        where=case.line(named) if named else case.where(losses[0].site),
        certainty=0.95,
    )


def _no_step(case: Case) -> Iterator[Finding]:
    """backward is called, no optimizer steps, and nothing moves."""
    backwards = case.evidence.event_counts["B"]
    moved = any(p.moved for m in case.evidence.models for p in m.parameters.values())
    if backwards < thresholds.ORDER_STEPS or moved or _optimizer_line(case) is None:
        return
    named = _uncalled(case, "step")
    line = max(case.evidence.backwards, key=lambda b: b.calls).site
    yield FAULT.found(
        f"backward was called {backwards:,} times, and step of an optimizer never: no weight has changed",
        where=case.line(named) if named else case.where(line),
        certainty=0.97,
        change="Call the optimizer's step() after backward, in every iteration.",
    )


def _without_gradient(case: Case, optimizer: OptimizerSeen) -> Iterator[Finding]:
    """Steps that find nothing: backward is missing, or the gradients were cleared after it."""
    nothing = optimizer.empty_steps + optimizer.zero_steps
    if optimizer.steps < thresholds.ORDER_STEPS or nothing < thresholds.ORDER_SHARE * optimizer.looked:
        return
    step = optimizer.step_sites.most_common(1)[0][0] if optimizer.step_sites else optimizer.site
    if not case.evidence.event_counts["B"]:
        if not case.evidence.event_counts["G"] and optimizer.empty_steps >= thresholds.ORDER_SHARE * optimizer.looked:
            named = _uncalled(case, "backward")
            yield FAULT.found(
                f"{optimizer.kind} made {optimizer.steps:,} steps, and backward was never called: no step found a gradient",
                where=case.line(named) if named else case.where(step),
                certainty=0.97,
                change="Call backward() on the loss before step().",
            )
        return
    cleared = _cleared_before_step(case.evidence.order)
    if cleared < thresholds.ORDER_SHARE:
        return
    between = _between(case.evidence.order)
    zero = optimizer.zero_sites.most_common(1)[0][0] if optimizer.zero_sites else None
    order = "gradients are cleared between backward and step" if between else "step comes before backward"
    yield FAULT.found(
        f"{order}: at {nothing} of {optimizer.looked} steps looked at there was no gradient to use",
        where=case.where(zero if between and zero is not None else step),
        certainty=0.97,
        change=(
            "Move zero_grad() before backward()."
            if between
            else "Call step() after backward(), and zero_grad() before it."
        ),
    )


def _thrown_away(case: Case) -> Iterator[Finding]:
    """Gradients that are cleared before any step has used them, as where the step stands outside of the loop."""
    evidence = case.evidence
    lines = [b for b in evidence.backwards if b.calls >= thresholds.ORDER_STEPS]
    if len(lines) != 1 or len(case.optimizers) != 1 or case.optimizers[0].kind == "LBFGS":
        return
    optimizer, calls = case.optimizers[0], lines[0].calls
    share = _unused(evidence.order)
    if calls < thresholds.THROWN_AWAY_CALLS or optimizer.steps > (1 - thresholds.THROWN_AWAY_SHARE) * calls:
        return
    if share < thresholds.THROWN_AWAY_SHARE or evidence.scaler:
        return
    yield FAULT.found(
        f"backward was called {calls:,} times and step {optimizer.steps:,} times; {share:.0%} of the gradients were cleared "
        "before a step had used them",
        where=case.where(optimizer.step_sites.most_common(1)[0][0] if optimizer.step_sites else lines[0].site),
        certainty=0.93,
        change="Call step() in every iteration, right after backward().",
    )


def _cleared_before_step(order: str) -> float:
    """Share of steps before which the last call of the two was to clear, not backward."""
    steps = cleared = 0
    last = ""
    for letter in order:
        if letter == "S":
            steps += 1
            cleared += last == "Z"
        elif letter in "BZ":
            last = letter
    return cleared / steps if steps else 0.0


def _between(order: str) -> bool:
    """Whether gradients are cleared after backward and before the step of the same iteration."""
    words = [word for word in "".join(c for c in order if c in "FBZS").split("S") if "B" in word]
    return bool(words) and sum("B" in w and w.rfind("Z") > w.rfind("B") > w.rfind("F") for w in words) > len(words) / 2


def _unused(order: str) -> float:
    """Share of backward calls after which the gradients were cleared before a step."""
    calls = lost = 0
    waiting = 0
    for letter in order:
        if letter == "B":
            calls += 1
            waiting += 1
        elif letter == "S":
            waiting = 0
        elif letter == "Z":
            lost += waiting
            waiting = 0
    return lost / calls if calls else 0.0


def _optimizer_line(case: Case) -> int | None:
    """The line at which the script makes an optimizer of PyTorch's."""
    kinds = (
        "SGD",
        "Adam",
        "AdamW",
        "RMSprop",
        "Adagrad",
        "Adadelta",
        "NAdam",
        "RAdam",
        "Adamax",
        "LBFGS",
        "Rprop",
        "ASGD",
    )
    return case.script.first_line(*kinds)


def _uncalled(case: Case, name: str) -> int | None:
    """A line that names a method and does not call it: `loss.backward`."""
    return next(
        (
            node.lineno
            for node in ast.walk(case.script.tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and node.value.attr == name
        ),
        None,
    )
