"""A schedule that is stepped when its constants mean it, in the right direction; or none."""

import ast
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.rate_edit import most_used, replace_rate
from osler.doctor.mending.schedule_edit import (
    leave_out,
    of_optimizer,
    schedule_name,
    set_constant,
    set_option,
    step_every_epoch,
    step_every_update,
    steps_of,
    take_steps_out,
)
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.statement_edit import outermost_alone, remove_call
from osler.doctor.mending.update_edit import optimizer_name
from osler.doctor.settings import call_at
from osler.doctor.training_loop import epoch_loop
from osler.structures.finding import Finding
from osler.vitals.evidence import OptimizerSeen, SchedulerSeen

LENGTHS = {  # the option that says how many steps a schedule is long, its place, and the share of the run that it usually is
    "CosineAnnealingLR": ("T_max", 1, 1.0), "StepLR": ("step_size", 1, 0.33), "LinearLR": ("total_iters", 3, 1.0),
    "PolynomialLR": ("total_iters", 1, 1.0), "CosineAnnealingWarmRestarts": ("T_0", 1, 0.5),
}  # fmt: skip
CHOICE = "schedule"
A_RATE = 0.2  # a factor that is never above is taken for a rate


@prescribes("scheduler-misused")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """By what is wrong: stepped never, too often, too seldom, the wrong way, for another optimizer; at last without it."""
    optimizer = most_used(case)
    schedule = _at_fault(finding, case)
    if schedule is None:
        yield _constant_rate(case, finding.where.line)
        return
    name = schedule_name(case, schedule)
    owner = case.evidence.optimizers[schedule.optimizer] if schedule.optimizer is not None else optimizer
    if not schedule.steps:
        yield from _stepped(case, optimizer, schedule, name)
    elif owner.steps == 0:
        used = optimizer_name(case, None, optimizer)
        yield _offer(
            "give it the optimizer that is used",
            f"Make {name} for {used}.",
            lambda e: of_optimizer(e, case, schedule, used),
        )
    elif schedule.kind == "ReduceLROnPlateau":
        mode = "min" if schedule.options.get("mode") == "max" else "max"
        yield _offer(
            "turn its mode", f"Use mode='{mode}'.", lambda e: set_option(e, case, schedule, "mode", 1, repr(mode))
        )
    elif schedule.steps > 0.5 * optimizer.steps:
        yield from _less_often(case, optimizer, schedule, name)
    else:
        yield from _more_often(case, optimizer, schedule, name)
    yield _offer(
        "leave the schedule out", f"Leave {name} out: the rate stays as it is.", lambda e: leave_out(e, case, schedule)
    )


def _offer(remedy: str, told: str, change: Edit) -> Prescription:
    return Prescription(remedy, told, change, choice=CHOICE)


def _at_fault(finding: Finding, case: Case) -> SchedulerSeen | None:
    line = finding.where.line
    for schedule in case.evidence.schedulers:
        lines = {site.line for site in schedule.step_sites} | ({schedule.site.line} if schedule.site else set())
        if line in lines:
            return schedule
    made = [s for s in case.evidence.schedulers if s.site is not None]
    return made[-1] if made else None


def _stepped(case: Case, optimizer: OptimizerSeen, schedule: SchedulerSeen, name: str) -> Iterator[Prescription]:
    """Steps at every update or every epoch, that which fits its constants first."""
    call = f"{name}.step()"
    if schedule.kind == "ReduceLROnPlateau":
        call = f"{name}.step({_watched(case)})"
    every = [
        _offer(
            "step it after every update",
            f"Call {call} after the optimizer's step.",
            lambda e: step_every_update(e, case, optimizer, call),
        ),
        _offer(
            "step it after every epoch",
            f"Call {call} at the end of every epoch.",
            lambda e: step_every_epoch(e, case, call),
        ),
    ]
    yield from every if _counts_updates(case, optimizer, schedule) else every[::-1]


def _watched(case: Case) -> str:
    """The loss that is known at the end of an epoch: that of the validation where there is one."""
    loop = epoch_loop(case)
    inside = [
        a for a in case.script.assignments if loop is not None and loop.lineno < a.line <= (loop.end_lineno or a.line)
    ]
    names = [n for a in inside for n in a.names if n.isidentifier() and "loss" in n.lower()]
    held = [n for n in names if "val" in n.lower() or "test" in n.lower()]
    if not names:
        raise CannotEditError("No loss is kept in the loop over epochs.")
    return (held or names)[-1]


def _counts_updates(case: Case, optimizer: OptimizerSeen, schedule: SchedulerSeen) -> bool:
    """Whether the constants of a schedule count updates rather than epochs."""
    if schedule.kind in ("OneCycleLR", "CyclicLR"):
        return True
    epochs = max(1, _epochs(case, optimizer))
    length = LENGTHS.get(schedule.kind)
    if length is not None:
        steps = schedule.options.get(length[0])
        return isinstance(steps, (int, float)) and steps > (epochs * optimizer.steps) ** 0.5 * length[2]
    milestones = schedule.options.get("milestones")
    if milestones:
        return max(milestones) > epochs
    if schedule.kind in ("ExponentialLR", "ReduceLROnPlateau"):
        gamma = schedule.options.get("gamma")
        return isinstance(gamma, float) and gamma > 0.1 ** (10 / optimizer.steps)
    return not _speaks_of_epochs(case, schedule)


def _epochs(case: Case, optimizer: OptimizerSeen) -> int:
    """How many epochs there were: passes of the loader, else evaluations."""
    if case.evidence.passes:
        return case.evidence.passes
    passes = [len(case.evaluations(m)) for m in case.evidence.trained_models]
    return max(passes, default=0) or max(1, optimizer.steps // 50)


def _speaks_of_epochs(case: Case, schedule: SchedulerSeen) -> bool:
    call = call_at(case.script, schedule.site)
    return call is not None and "epoch" in call.text().lower()


def _less_often(case: Case, optimizer: OptimizerSeen, schedule: SchedulerSeen, name: str) -> Iterator[Prescription]:
    """Once an epoch, or constants that count updates."""

    def moved(edit: ScriptEdit) -> None:
        call = ast.unparse(steps_of(case, schedule)[0])
        step_every_epoch(edit, case, call)
        take_steps_out(edit, case, schedule)

    yield _offer("step it once an epoch", f"Move {name}.step() to the end of the loop over epochs.", moved)
    length = LENGTHS.get(schedule.kind)
    if length is not None:
        now = schedule.options.get(length[0])
        if isinstance(now, (int, float)) and now > 0:
            factor = optimizer.steps * length[2] / now
            yield _offer(
                "count its constants in updates", f"Let {length[0]} count updates.",
                lambda e: set_constant(e, case, schedule, length[0], length[1], factor),
            )  # fmt: skip
    yield from _slower(case, schedule)


def _slower(case: Case, schedule: SchedulerSeen) -> Iterator[Prescription]:
    """A factor with which the rate falls to a tenth over the whole run."""
    if schedule.kind in ("ExponentialLR", "MultiplicativeLR") and schedule.steps:
        text = f"{0.1 ** (1 / schedule.steps):.4g}"
        yield _offer(
            "let the rate fall more slowly", f"Use gamma={text}: a tenth of the rate is then left at the end.",
            lambda e: set_option(e, case, schedule, "gamma", 1, text),
        )  # fmt: skip


def _more_often(case: Case, optimizer: OptimizerSeen, schedule: SchedulerSeen, name: str) -> Iterator[Prescription]:
    """At every update where the rate was never reached; the schedule stretched where it was used up."""
    options = optimizer.options[0] if optimizer.options else {}
    base = options.get("max_lr") or options.get("initial_lr") or options.get("lr")
    rates = [rate for _, rate in optimizer.rates]
    peak = max(rates, default=0.0)
    reached = isinstance(base, (int, float)) and peak > 0.5 * base

    def moved(edit: ScriptEdit) -> None:
        calls = steps_of(case, schedule)
        taken = [remove_call(edit, c) for c in calls]
        if not taken or not all(taken):
            raise CannotEditError("The schedule's steps do not stand alone.")
        step_every_update(edit, case, optimizer, ast.unparse(calls[0]))

    if not reached:
        falls = bool(rates) and rates[-1] <= rates[0]  # a warm-up that is never left rises
        if schedule.kind == "LambdaLR" and falls and isinstance(base, (int, float)) and 0 < peak / base <= A_RATE:
            yield _offer("let the factor be a rate", "Use a rate of 1.0 for the optimizer: the schedule gives the rate itself.",
                         lambda e: replace_rate(e, case, optimizer, "1.0"))  # fmt: skip
        yield _offer("step it after every update", f"Call {name}.step() after the optimizer's step.", moved)
        return
    length = LENGTHS.get(schedule.kind)
    now = schedule.options.get(length[0]) if length is not None else None
    if length is not None and isinstance(now, (int, float)) and now > 0:
        yield _offer(
            "stretch it over the run", f"Let {length[0]} reach over the whole run.",
            lambda e: set_constant(e, case, schedule, length[0], length[1], schedule.steps * length[2] / now),
        )  # fmt: skip
    yield from _slower(case, schedule)


def _constant_rate(case: Case, line: int | None) -> Prescription:
    """Without the statement that writes the rate."""

    def change(edit: ScriptEdit) -> None:
        text = case.script.lines[line - 1].partition("=")[0] if line is not None else ""
        if line is None or not ('["lr"]' in text or "['lr']" in text):
            raise CannotEditError("It is not known where the rate is written.")
        edit.remove_node(outermost_alone(edit, edit.statement(line)))

    return _offer("leave the schedule out", "Leave the rate as it is at the start.", change)
