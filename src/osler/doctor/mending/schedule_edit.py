"""A learning-rate schedule in a program: its steps written, moved, or left out, and its constants changed."""

import ast

from osler.doctor.case import Case
from osler.doctor.mending.number_edit import number, set_setting, setting
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.statement_edit import remove_call
from osler.doctor.mending.update_edit import most_used_line
from osler.doctor.script_reading import dotted
from osler.doctor.settings import call_at
from osler.doctor.training_loop import epoch_loop
from osler.vitals.evidence import OptimizerSeen, SchedulerSeen


def schedule_name(case: Case, schedule: SchedulerSeen) -> str:
    """What a schedule is called.

    Raises:
        CannotEditError: it is kept under no name.
    """
    for assignment in case.script.assignments:
        line = schedule.site.line if schedule.site is not None else 0
        here = assignment.line <= line <= (assignment.value.end_lineno or assignment.line)
        if here and len(assignment.names) == 1:
            return assignment.names[0]
    raise CannotEditError("The schedule is kept under no name.")


def step_every_update(edit: ScriptEdit, case: Case, optimizer: OptimizerSeen, call: str) -> None:
    """Puts a call behind the optimizer's step.

    Raises:
        CannotEditError: the schedule cannot be reached there.
    """
    line = most_used_line(optimizer.step_sites)
    if line is None:
        raise CannotEditError("The optimizer's step is not found.")
    _reachable(case, call.partition(".step")[0], line)
    edit.insert_after(line, call)


def step_every_epoch(edit: ScriptEdit, case: Case, call: str) -> None:
    """Puts a call at the end of the loop over epochs.

    Raises:
        CannotEditError: there is none, or the schedule cannot be reached there.
    """
    loop = epoch_loop(case)
    if loop is None:
        raise CannotEditError("There is no loop over epochs.")
    _reachable(case, call.partition(".step")[0], loop.lineno)
    edit.insert_after(loop.body[-1].lineno, call)


def _reachable(case: Case, name: str, line: int) -> None:
    """Raises where a name means nothing at a line."""
    functions = case.script.functions()
    here = [n for n, f in functions.items() if f.lineno <= line <= (f.end_lineno or f.lineno)]
    makers = {a.function for a in case.script.assignments if name in a.names}
    given = {a.arg for n in here for a in functions[n].args.args}
    if name.startswith("self."):
        return
    if not (makers & {"", *here}) and name not in given:
        raise CannotEditError(f"{name} is not known at line {line}.")


def steps_of(case: Case, schedule: SchedulerSeen) -> list[ast.Call]:
    """The calls that step a schedule."""
    lines = {site.line for site in schedule.step_sites}
    return [c.node for c in case.script.calls_of("step") if c.line in lines]


def take_steps_out(edit: ScriptEdit, case: Case, schedule: SchedulerSeen) -> str:
    """Takes the calls that step a schedule out; one of them as text.

    Raises:
        CannotEditError: there is none, or one that is used for more.
    """
    calls = steps_of(case, schedule)
    taken = [remove_call(edit, call) for call in calls]
    if not taken or not all(taken):
        raise CannotEditError("The schedule's steps do not stand alone.")
    return ast.unparse(calls[0])


def leave_out(edit: ScriptEdit, case: Case, schedule: SchedulerSeen) -> None:
    """Takes a schedule out of the program.

    Raises:
        CannotEditError: it is used for more than to be stepped.
    """
    name = schedule_name(case, schedule)
    used = [n for n in ast.walk(case.script.tree) if isinstance(n, (ast.Name, ast.Attribute)) and dotted(n) == name]
    steps = steps_of(case, schedule)
    if schedule.steps:
        take_steps_out(edit, case, schedule)
    if len(used) != 1 + len(steps) or schedule.site is None:
        raise CannotEditError("The schedule is used for more.")
    edit.remove_node(edit.statement(schedule.site.line))


def set_constant(edit: ScriptEdit, case: Case, schedule: SchedulerSeen, name: str, place: int, factor: float) -> None:
    """Multiplies a constant of a schedule that counts steps.

    Raises:
        CannotEditError: it is no number.
    """
    call, value = setting(case.script, schedule.site, (schedule.kind,), name, place)
    now = number(case.script, value, call.function)
    if now is None:
        recorded = schedule.options.get(name)
        if not isinstance(recorded, (int, float)):
            raise CannotEditError(f"{name} is no number.")
        now = float(recorded)
        if value is not None:
            edit.replace(edit.at(value), str(max(1, round(now * factor))))
            return
    set_setting(edit, case.script, schedule.site, (schedule.kind,), name, place, str(max(1, round(now * factor))))


def set_option(edit: ScriptEdit, case: Case, schedule: SchedulerSeen, name: str, place: int, text: str) -> None:
    """Gives an option of a schedule a value."""
    set_setting(edit, case.script, schedule.site, (schedule.kind,), name, place, text)


def of_optimizer(edit: ScriptEdit, case: Case, schedule: SchedulerSeen, name: str) -> None:
    """Gives a schedule another optimizer.

    Raises:
        CannotEditError: its call is not found.
    """
    call = call_at(case.script, schedule.site, schedule.kind)
    if call is None or not call.node.args:
        raise CannotEditError("The schedule is made in another way.")
    edit.replace(edit.at(call.node.args[0]), name)
