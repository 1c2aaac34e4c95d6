"""The calls of an update in a program, `zero_grad`, `backward` and `step`: where they stand, and putting them in order."""

import ast
import re
from collections import Counter
from dataclasses import dataclass

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name
from osler.doctor.mending.statement_edit import Statement, loops_around
from osler.doctor.script_reading import dotted
from osler.vitals.evidence import OptimizerSeen, Site

MAKERS = (
    "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Adamax", "LBFGS", "Rprop", "ASGD", "SparseAdam",
)  # fmt: skip


LOSS_NAMES = re.compile(r"loss|cost|objective|nll|\bce\b|mse|\berr|^l$", re.IGNORECASE)


@dataclass(frozen=True)
class Update:
    """The calls of one update: their lines, None where the program has none; and what the optimizer and the loss are called."""

    optimizer: str
    loss: str | None
    zero: int | None
    backward: int | None
    step: int | None


def most_used_line(sites: Counter[Site]) -> int | None:
    """The line of the site with most calls."""
    return sites.most_common(1)[0][0].line if sites else None


def update(case: Case, optimizer: OptimizerSeen | None) -> Update:
    """The update that the evidence saw, or that the text of the program has.

    Raises:
        CannotEditError: the optimizer has no name.
    """
    script = case.script
    backwards = sorted(case.evidence.backwards, key=lambda b: -b.calls)
    backward = next((b.site.line for b in backwards if b.site is not None), None) or _named_line(case, "backward")
    step = most_used_line(optimizer.step_sites) if optimizer else None
    name = optimizer_name(case, step, optimizer)
    step = step or _named_line(case, "step", name)
    zero = (most_used_line(optimizer.zero_sites) if optimizer else None) or _named_line(case, "zero_grad")
    receivers = [c.name.rpartition(".")[0] for c in script.calls_of("backward") if c.line == backward]
    return Update(name, receivers[0] if receivers and receivers[0] else None, zero, backward, step)


def optimizer_name(case: Case, step: int | None, optimizer: OptimizerSeen | None) -> str:
    """What the optimizer is called where it steps: of `opt.step()`, of `scaler.step(opt)`, of `opt = SGD(...)`.

    Raises:
        CannotEditError: it has no name.
    """
    for call in (c for c in case.script.calls_of("step") if step is None or c.line == step):
        given = [dotted(a) for a in call.node.args if isinstance(a, (ast.Name, ast.Attribute))]
        receiver = call.name.rpartition(".")[0]
        if given and "scaler" in receiver.lower():
            return given[0]
        if receiver and step is not None:
            return receiver
    made = [
        a for a in case.script.assignments
        if isinstance(a.value, ast.Call) and (dotted(a.value.func).rpartition(".")[2] in MAKERS
                                              or (optimizer is not None and optimizer.site is not None
                                                  and a.line == optimizer.site.line))
    ]  # fmt: skip
    if not made or not made[0].names:
        raise CannotEditError("The optimizer has no name.")
    return made[0].names[0]


def _named_line(case: Case, method: str, receiver: str = "") -> int | None:
    """The line at which a method is called or, without its brackets, named."""
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.Expr):
            value = node.value.func if isinstance(node.value, ast.Call) else node.value
            if isinstance(value, ast.Attribute) and value.attr == method and receiver in ("", dotted(value.value)):
                return node.lineno
    return None


def add_brackets(edit: ScriptEdit, case: Case, *methods: str) -> bool:
    """Calls the methods that statements name without calling them; False where there are none."""
    found = False
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and node.value.attr in methods:
            edit.wrap(edit.at(node.value), "{}()")
            found = True
    return found


def put_in_order(edit: ScriptEdit, case: Case, seen: Update) -> None:
    """Clears gradients, computes them and steps, one after the other where gradients are computed.

    Calls that stand there already in this order stay; others are moved, missing ones written.

    Raises:
        CannotEditError: it is not known where gradients are to be computed.
    """
    anchor, written = _anchor(edit, case, seen)
    line = edit.line_of(anchor)
    zero = _alone(edit, case, seen.zero, "zero_grad")
    step = _alone(edit, case, seen.step, "step")
    if zero is None:
        edit.insert_before(line, f"{seen.optimizer}.zero_grad()") if written is None else None
    elif not _same_block(edit, zero, anchor) or edit.line_of(zero) > line:
        edit.move_before(edit.line_of(zero), line)
    if written is not None:
        if zero is None:
            edit.insert_after(line, f"{seen.optimizer}.zero_grad()")
        edit.insert_after(line, written)
    if step is None:
        edit.insert_after(line, f"{seen.optimizer}.step()")
    elif not _same_block(edit, step, anchor) or edit.line_of(step) < line:
        edit.move_after(edit.line_of(step), line)


def _anchor(edit: ScriptEdit, case: Case, seen: Update) -> tuple[Statement, str | None]:
    """The statement of `backward`, or that at which the loss is computed, with the call that is to follow it."""
    if seen.backward is not None:
        return edit.statement(seen.backward), None
    step = next((c for c in case.script.calls_of("step") if c.line == seen.step), None)
    near = [
        a
        for a in case.script.assignments
        if len(a.names) == 1 and a.function == (step.function if step else a.function)
    ]
    named = [a for a in near if LOSS_NAMES.search(a.names[0]) and _is_in_loop(edit, a.line)]
    sites = [loss.site.line for loss in case.losses() if loss.site is not None]
    computed = [a for a in near if any(a.line <= line <= (a.value.end_lineno or a.line) for line in sites)]
    for assignment in [*computed, *named]:
        return edit.statement(assignment.line), f"{assignment.names[0]}.backward()"
    raise CannotEditError("No loss is kept under a name.")


def _is_in_loop(edit: ScriptEdit, line: int) -> bool:
    return bool(loops_around(edit, edit.statement(line)))


def _alone(edit: ScriptEdit, case: Case, line: int | None, method: str) -> Statement | None:
    """The statement at a line if it is nothing but the call."""
    if line is None:
        return None
    statement = edit.statement(line)
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return None
    expression = statement.body[0]
    value = expression.value if isinstance(expression, cst.Expr) else None
    called = value.func if isinstance(value, cst.Call) else value
    if not isinstance(called, cst.Attribute) or last_name(called) != method:
        raise CannotEditError(f"{method} stands in a larger statement.")
    return statement


def _same_block(edit: ScriptEdit, one: Statement, other: Statement) -> bool:
    return edit.parent(one) is edit.parent(other)
