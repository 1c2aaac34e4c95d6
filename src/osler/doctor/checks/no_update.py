"""Nothing moves from step to step."""

import ast
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import rates_are_searched
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen, OptimizerSeen

FAULT = Fault(
    name="no-update",
    category="optimisation",
    phase="during",
    title="Parameters do not change",
    symptom="Loss and accuracy are the same after every epoch, up to the noise of the batches.",
    cause=(
        "The weights are the same after an update as before it. The rate is zero, no gradient reaches what the optimizer "
        "holds, it holds something else than the network that is called, the update is computed and not written back, or old "
        "weights are loaded again and again."
    ),
    seen_by="every parameter is equal, value for value, before and after each of the updates looked at",
    remedies=(
        Remedy(
            "connect the update",
            "Let the optimizer hold the parameters of the network that is called, with a rate above 0.",
        ),
        Remedy(
            "write the update back",
            "Change parameters in place under no_grad, as in `p -= lr * p.grad`; `p = p - ...` makes a new tensor.",
        ),
        Remedy("look for resets", "Load stored weights once, not at every step."),
    ),
    sources=(
        "Jiang et al. 2025 (TrainCheck), invariant that parameters change at a step",
        "Wardat et al. 2022 (DeepDiagnosis), unchanged weights; Amazon SageMaker Debugger, rule UnchangedTensor",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at updates, and at weights from the first call to the end."""
    evidence = case.evidence
    if not evidence.event_counts["B"] and not evidence.steps:
        raise NotSeen("nothing was trained")
    if rates_are_searched_safely(case):
        return
    idle = [o for o in evidence.optimizers if _idle(o)]
    for optimizer in idle:
        rate = max((rate for _, rate in optimizer.rates), default=float("nan"))
        why = "; its rate is 0" if rate == 0 else ""
        yield FAULT.found(
            f"{optimizer.kind} made {optimizer.steps:,} steps, and at all {len(optimizer.samples)} that were looked at every "
            f"parameter was the same before and after{why}",
            where=case.where(optimizer.site),
            certainty=thresholds.CERTAINTY_NO_UPDATE,
        )
    if idle:
        return
    for model in evidence.trained_models or evidence.models:
        yield from _unmoved(case, model)


def rates_are_searched_safely(case: Case) -> bool:
    """Whether this is a range test, after which the first weights are put back; False where no optimizer made a step."""
    try:
        return rates_are_searched(case)
    except NotSeen:
        return False


def _idle(optimizer: OptimizerSeen) -> bool:
    moves = [size for sample in optimizer.samples for size in sample.updates.values()]
    return len(optimizer.samples) >= thresholds.NO_UPDATE_STEPS and bool(moves) and all(size == 0 for size in moves)


def _unmoved(case: Case, model: ModelSeen) -> Iterator[Finding]:
    """A network that learns as far as gradients go, and is at the end what it was."""
    evidence = case.evidence
    backwards = evidence.event_counts["B"]
    learns = [p for p in model.parameters.values() if p.requires_grad and p.end_values is not None]
    something_moved = any(size > 0 for o in evidence.optimizers for s in o.samples for size in s.updates.values())
    if model.call_counts["train"] < thresholds.NO_UPDATE_STEPS or backwards < thresholds.NO_UPDATE_STEPS or not learns:
        return
    others = [p for m in evidence.models for p in m.parameters.values() if p.moved]
    resets = [c for c in case.script.calls_of("load_state_dict", "copy_") if c.loop]
    if (
        (something_moved and not resets)
        or any(p.moved for p in learns)
        or others
        or (model.loaded and not resets)
        or (something_moved and not _held(model))
    ):
        return
    if any(optimizer.strangers for optimizer in evidence.optimizers) and something_moved:
        return  # it is an input that is optimised, through a network that stays
    line = max(evidence.backwards, key=lambda b: b.calls).site if evidence.backwards else None
    where = (
        case.line(resets[0].line)
        if model.loaded
        else case.line(_rebinding(case))
        if _rebinding(case)
        else case.where(line)
    )
    yield FAULT.found(
        f"backward was called {backwards:,} times, and all {len(learns)} parameters of {model.name} are at the end, value for "
        "value, what they were at the start",
        where=where,
        certainty=thresholds.CERTAINTY_NO_UPDATE,
    )


def _rebinding(case: Case) -> int | None:
    """A line that computes an update and gives it a name instead of writing it back: `p = p - lr * p.grad`."""
    for assignment in case.script.assignments:
        text = ast.unparse(assignment.value)
        if (
            ".grad" in text
            and any(name in text for name in assignment.names)
            and isinstance(assignment.value, ast.BinOp)
        ):
            return assignment.line
    return None


def _held(model: ModelSeen) -> bool:
    return any(p.optimizers for p in model.parameters.values())
