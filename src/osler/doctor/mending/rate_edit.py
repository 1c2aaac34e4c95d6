"""The learning rate of an optimizer changed where it is written: at the optimizer, in its groups, in its schedule, by hand."""

import ast

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.fault import NotSeen
from osler.doctor.mending.number_edit import number, set_number, set_setting, setting, third, written
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, with_argument, without_argument
from osler.doctor.script_reading import dotted
from osler.vitals.evidence import OptimizerSeen

PEAKS = {"OneCycleLR": ("max_lr",), "CyclicLR": ("base_lr", "max_lr")}
NOT_OF_ADAM = ("momentum", "dampening", "nesterov")


def most_used(case: Case) -> OptimizerSeen:
    """The optimizer that made most steps.

    Raises:
        CannotEditError: none was seen.
    """
    try:
        return case.optimizers[0]
    except NotSeen as error:
        raise CannotEditError(str(error)) from error


def scale_rates(edit: ScriptEdit, case: Case, optimizer: OptimizerSeen, factor: float) -> None:
    """Multiplies every rate of the optimizer, rounded to thirds of a power of ten."""
    _change(edit, case, optimizer, factor, None)


def set_rates(edit: ScriptEdit, case: Case, optimizer: OptimizerSeen, text: str) -> None:
    """Gives every rate of the optimizer one value."""
    _change(edit, case, optimizer, 1.0, text)


def replace_rate(edit: ScriptEdit, case: Case, optimizer: OptimizerSeen, text: str) -> None:
    """Gives the optimizer's own rate a value, also where it is 0."""
    set_setting(edit, case.script, optimizer.site, (optimizer.kind,), "lr", 1, text)


def _change(edit: ScriptEdit, case: Case, optimizer: OptimizerSeen, factor: float, text: str | None) -> None:
    script = case.script
    call, value = setting(script, optimizer.site, (optimizer.kind,), "lr", 1)
    grouped = [(v, call.function) for v in _of_groups(call.node)]
    given = grouped if value is None else [(value, call.function), *grouped]
    asked = optimizer.options[0].get("initial_lr", optimizer.options[0].get("lr")) if optimizer.options else None
    if not given:
        if not isinstance(asked, (int, float)) or not asked > 0:
            raise CannotEditError("The optimizer's rate is not known.")
        new = text or third(asked * factor)
        edit.change(edit.at(call.node), lambda node: with_argument(node, "lr", new))
    given += [*_of_schedules(case, optimizer), *_by_hand(case)]
    done: set[int] = set()
    for place, (expression, function) in enumerate(given):
        origin = written(script, expression, function)
        now = number(script, expression, function)
        if now is None and place == 0 and isinstance(asked, (int, float)):
            now = asked
        if id(origin) in done or now is None or not now > 0:
            continue
        done.add(id(origin))
        set_number(edit, script, expression, function, text or third(now * factor))
    if given and not done:
        raise CannotEditError("The rate is nowhere written as a number above 0.")


def _of_groups(call: ast.Call) -> list[ast.expr]:
    """The rates inside of parameter groups: `[{"params": ..., "lr": 0.1}]`, `dict(params=..., lr=0.1)`."""
    found = []
    for node in ast.walk(call):
        if isinstance(node, ast.Dict):
            found += [
                v
                for k, v in zip(node.keys, node.values, strict=True)
                if isinstance(k, ast.Constant) and k.value == "lr"
            ]
        elif isinstance(node, ast.Call) and node is not call and dotted(node.func) == "dict":
            found += [k.value for k in node.keywords if k.arg == "lr"]
    return found


def _of_schedules(case: Case, optimizer: OptimizerSeen) -> list[tuple[ast.expr, str]]:
    """The rates that schedules of this optimizer are given in full."""
    found = []
    for schedule in case.evidence.schedulers:
        own = schedule.optimizer is not None and case.evidence.optimizers[schedule.optimizer] is optimizer
        for place, name in enumerate(PEAKS.get(schedule.kind, ()) if own else ()):
            call, value = setting(case.script, schedule.site, (schedule.kind,), name, place + 1)
            if value is not None:
                found.append((value, call.function))
    return found


def _by_hand(case: Case) -> list[tuple[ast.expr, str]]:
    """Plain numbers that the program writes into the optimizer's groups."""
    found: list[tuple[ast.expr, str]] = []
    for name, function in (*case.script.functions().items(), ("", case.script.tree)):
        for node in ast.walk(function):
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Subscript):
                continue
            key = node.targets[0].slice
            if isinstance(key, ast.Constant) and key.value == "lr" and isinstance(node.value, (ast.Constant, ast.Name)):
                found.append((node.value, name))
    return found


def as_adam(edit: ScriptEdit, case: Case, optimizer: OptimizerSeen) -> None:
    """`SGD(..., momentum=0.9)` becomes `Adam(...)`; a name that was imported alone is imported again."""
    call, _ = setting(case.script, optimizer.site, (optimizer.kind,), "lr", 1)
    node = edit.at(call.node)

    def change(made: cst.Call) -> cst.Call:
        for name in NOT_OF_ADAM:
            made = without_argument(made, name)
        if isinstance(made.func, cst.Attribute):
            return made.with_changes(func=made.func.with_changes(attr=cst.Name("Adam")))
        return made.with_changes(func=cst.Name("Adam"))

    if call.last != "SGD":
        raise CannotEditError("The optimizer is made in another way.")
    if len([a for a in call.node.args if not isinstance(a, ast.Starred)]) > 2:
        raise CannotEditError("SGD's momentum is given by place.")
    if call.name == "SGD":
        edit.add_import("from torch.optim import Adam")
    edit.change(node, change)
