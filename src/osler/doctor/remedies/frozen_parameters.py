"""Weights that were frozen by mistake learn again: the line that freezes goes, and the optimizer is given them."""

import ast
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.fault import NotSeen
from osler.doctor.mending.graph_edit import is_off, open_block
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.statement_edit import outermost_alone, remove_call
from osler.doctor.remedies.optimizer_misses_parameters import give_whole
from osler.doctor.script_reading import dotted
from osler.doctor.settings import call_at
from osler.structures.finding import Finding
from osler.vitals.evidence import OptimizerSeen

CHOICE = "what is frozen"
Freezing = ast.Assign | ast.Call


@prescribes("frozen-parameters")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Without the line that freezes; without all such lines."""
    lines = freezing(case)
    there = [node for node in lines if node.lineno == finding.where.line]
    layer = finding.where.layer or "the layers"
    told = f"layer {layer}" if layer.isdigit() else layer

    def one(edit: ScriptEdit) -> None:
        _thaw(edit, case, there, layer)

    def every(edit: ScriptEdit) -> None:
        _thaw(edit, case, lines, layer)

    if there:
        line = there[0].lineno
        yield Prescription("unfreeze", f"Let {told} learn: do not freeze it at line {line}.", one, choice=CHOICE)
    if len(lines) > len(there):
        yield Prescription("unfreeze all", "Let all layers learn: freeze none of them.", every, choice=CHOICE)


def freezing(case: Case) -> list[Freezing]:
    """What switches `requires_grad` off, in the order of lines."""
    found: list[Freezing] = []
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.Assign):
            named = any(isinstance(t, ast.Attribute) and t.attr == "requires_grad" for t in node.targets)
            if named and not _is(node.value, True):
                found.append(node)
        elif isinstance(node, ast.Call) and (_freezes(node) or _made_frozen(node)):
            found.append(node)
    return sorted(found, key=lambda node: node.lineno)


def _is(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _freezes(node: ast.Call) -> bool:
    named = isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_"
    return named and any(not _is(v, True) for v in [*node.args, *(k.value for k in node.keywords)])


def _made_frozen(node: ast.Call) -> bool:
    made = dotted(node.func).rpartition(".")[2] == "Parameter"
    return made and any(k.arg == "requires_grad" and _is(k.value, False) for k in node.keywords)


def _thaw(edit: ScriptEdit, case: Case, nodes: list[Freezing], layer: str) -> None:
    for node in nodes:
        if isinstance(node, ast.Assign):
            _remove_assignment(edit, case, node)
        elif _made_frozen(node):
            edit.remove_argument(node.lineno, "Parameter", "requires_grad")
        else:
            _remove_freezing_call(edit, node)
    _record_gradients(edit, case, layer)
    _give_to_optimizer(edit, case, layer)


def _remove_assignment(edit: ScriptEdit, case: Case, node: ast.Assign) -> None:
    """Takes it out with the loop that holds nothing else; where a condition has another branch, it lets learn."""
    statement = edit.statement(node.lineno)
    branches = [
        n for n in ast.walk(case.script.tree)
        if isinstance(n, ast.If) and n.orelse and n.lineno <= node.lineno <= (n.end_lineno or n.lineno)
    ]  # fmt: skip
    if branches or len(getattr(statement, "body", ())) != 1:
        edit.replace(edit.at(node.value), "True")
    else:
        edit.remove_node(outermost_alone(edit, statement))


def _remove_freezing_call(edit: ScriptEdit, node: ast.Call) -> None:
    """`net.body.requires_grad_(False)` goes where it stands alone or in a comprehension of its own; else it frees."""
    if remove_call(edit, node) or _remove_comprehension(edit, node):
        return
    edit.change(edit.at(node), lambda now: now.func.value)


def _remove_comprehension(edit: ScriptEdit, node: ast.Call) -> bool:
    """Takes `[p.requires_grad_(False) for p in net.parameters()]` out where it stands alone."""
    statement = edit.statement(node.lineno)
    if not edit.code(statement).startswith("[") or len(getattr(statement, "body", ())) != 1:
        return False
    edit.remove_node(outermost_alone(edit, statement))
    return True


def _record_gradients(edit: ScriptEdit, case: Case, layer: str) -> None:
    """Opens a `with torch.no_grad():` in a method around a call of what is to learn."""
    attribute = layer.partition(".")[0]
    for name, function in case.script.functions().items():
        if "." not in name or function.name == "__init__":
            continue
        for node in ast.walk(function):
            if not isinstance(node, ast.With) or not any(is_off(i.context_expr) for i in node.items):
                continue
            if any(isinstance(c, ast.Call) and dotted(c.func).startswith(f"self.{attribute}") for c in ast.walk(node)):
                open_block(edit, case.script, node.lineno)


def _give_to_optimizer(edit: ScriptEdit, case: Case, layer: str) -> None:
    """Gives an optimizer that holds a part of the network the whole of it."""
    for optimizer in _training(case):
        call = call_at(case.script, optimizer.site, optimizer.kind) or call_at(case.script, optimizer.site)
        names = [n for n in optimizer.parameters if n.startswith(layer) or f".{layer}" in n]
        if call is None or names or not _holds_part(call.node):
            continue
        try:
            give_whole(edit, case, call)
        except CannotEditError:
            continue


def _holds_part(call: ast.Call) -> bool:
    """Whether a part of something has its parameters taken there: `net.head.parameters()`."""
    return any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in ("parameters", "named_parameters")
        and isinstance(n.func.value, (ast.Attribute, ast.Subscript))
        for n in ast.walk(call)
    )  # fmt: skip


def _training(case: Case) -> list[OptimizerSeen]:
    try:
        return case.optimizers
    except NotSeen:
        return []
