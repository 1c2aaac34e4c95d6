"""A layer that is made in every pass is made once, in the constructor, and called where it was made."""

import ast
import re
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.mending.class_edit import Function, append_to_init, class_around, free_attribute, function_node
from osler.doctor.mending.constructor_arguments import settled
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding

SHORT = {"Conv1d": "conv", "Conv2d": "conv", "Conv3d": "conv", "BatchNorm1d": "norm", "BatchNorm2d": "norm",
         "LayerNorm": "norm", "GroupNorm": "norm", "Sequential": "layers", "ModuleList": "layers",
         "Embedding": "embedding", "Parameter": "weight"}  # fmt: skip
NO_LAYERS = ("Tensor", "Size", "Variable", "FloatTensor", "Generator", "ValueError", "RuntimeError")
MOVING = ("to", "cuda", "cpu", "double", "float", "train", "requires_grad_", "half")


@prescribes("layer-created-in-forward")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Made once, with its sizes as numbers where they were taken from the input; else as a lazy layer."""
    line = finding.where.line
    if line is None:
        return
    made = {
        site.line for m in case.models for site in m.fresh_parameters if site.function.rpartition(".")[2] != "__init__"
    }
    others = sorted(made - {line})

    def once(edit: ScriptEdit) -> None:
        make_once(edit, case, line, lazy=False)
        for other in others:
            _if_it_can(edit, case, other)

    def lazily(edit: ScriptEdit) -> None:
        make_once(edit, case, line, lazy=True)
        for other in others:
            _if_it_can(edit, case, other)

    told = f"Make the layer of line {line} once, in __init__, and call it there."
    yield Prescription("create it once", told, once, choice="where the layer is made")
    lazy = f"Make the layer of line {line} once, in __init__, as a lazy layer that takes its size from the first input."
    yield Prescription("size from data", lazy, lazily, choice="where the layer is made")


def make_once(edit: ScriptEdit, case: Case, line: int, *, lazy: bool) -> None:
    """Moves the making of the layer at a line of a method into the constructor of its class.

    Raises:
        CannotEditError: there is no such layer, or it depends on what only the pass knows.
    """
    function, holder = function_node(case, line), class_around(case, line)
    if function is None or holder is None or function.name == "__init__":
        raise CannotEditError("The layer is not made in a method.")
    statement = _statement(function, line)
    made = _made(case, statement, line)
    code = settled(case, holder.name, function, _unmoved(made), lazy=lazy)
    loop = _loop(function, statement)
    if loop is not None:
        _of_loop(edit, case, holder.name, statement, made, loop, code)
        return
    target = dotted(statement.targets[0]) if isinstance(statement, ast.Assign) and statement.value is made else ""
    if target.startswith("self."):
        edit.remove_statement(statement.lineno)
        settings = _settings(edit, function, statement, target, target)
        append_to_init(edit, case, holder.name, "\n".join([f"{target} = {code}", *settings]))
        return
    name = f"self.{free_attribute(case, target or _short(made))}"
    edit.replace(edit.at(made), name)
    settings = _settings(edit, function, statement, target, name) if target else []
    append_to_init(edit, case, holder.name, "\n".join([f"{name} = {code}", *settings]))


def _if_it_can(edit: ScriptEdit, case: Case, line: int) -> None:
    """Another layer that is made in a pass: mended as well, as a lazy layer where its sizes are not known."""
    for lazy in (False, True):
        try:
            make_once(edit, case, line, lazy=lazy)
        except CannotEditError:
            continue
        return


def _statement(function: Function, line: int) -> ast.stmt:
    found = [
        n for n in ast.walk(function)
        if isinstance(n, (ast.Assign, ast.Return, ast.Expr, ast.AugAssign)) and n.lineno <= line <= (n.end_lineno or n.lineno)
    ]  # fmt: skip
    if not found:
        raise CannotEditError("No layer is made there.")
    return found[-1]


def _made(case: Case, statement: ast.stmt, line: int) -> ast.Call:
    """The outermost making of a layer in a statement, with what moves it to a device."""
    made = [n for n in ast.walk(statement) if isinstance(n, ast.Call) and _makes(case, n)]
    if not made:
        raise CannotEditError("No layer is made there.")
    there = [n for n in made if n.lineno <= line <= (n.end_lineno or n.lineno)] or made
    found = there[0]
    for outer in ast.walk(statement):
        called = outer.func if isinstance(outer, ast.Call) else None
        if (
            isinstance(outer, ast.Call)
            and isinstance(called, ast.Attribute)
            and called.attr in MOVING
            and called.value is found
        ):
            found = outer
    return found


def _makes(case: Case, call: ast.Call) -> bool:
    last = dotted(call.func).rpartition(".")[2]
    named = (
        last[:1].isupper() and last.isidentifier() and last not in NO_LAYERS and "functional" not in dotted(call.func)
    )
    return named and (last in case.script.classes() or "." in dotted(call.func) or f"import {last}" in case.script.source
                      or bool(re.search(rf"import .*\b{last}\b", case.script.source)))  # fmt: skip


def _unmoved(made: ast.Call) -> ast.Call:
    """The making of a layer without `.to(x.device)`, which goes with the network."""
    while isinstance(made.func, ast.Attribute) and made.func.attr in MOVING and isinstance(made.func.value, ast.Call):
        made = made.func.value
    return made


def _short(made: ast.Call) -> str:
    last = dotted(_unmoved(made).func).rpartition(".")[2]
    return SHORT.get(last, last.lower())


def _settings(edit: ScriptEdit, function: Function, statement: ast.stmt, old: str, new: str) -> list[str]:
    """The statements behind it that set the new layer's weights, taken out; as they are to stand in the constructor."""
    found = []
    for other in ast.walk(function):
        if not isinstance(other, (ast.Assign, ast.Expr)) or other.lineno <= statement.lineno:
            continue
        targets = [dotted(t) for t in other.targets] if isinstance(other, ast.Assign) else []
        called = other.value if isinstance(other.value, ast.Call) else None
        given = [dotted(a) for a in called.args[:1]] if called is not None and isinstance(other, ast.Expr) else []
        if any(n.startswith(f"{old}.") for n in targets + given):
            edit.remove_statement(other.lineno)
            found.append(re.sub(rf"(?<![\w.]){re.escape(old)}\.", f"{new}.", ast.unparse(other)))
    return found


# ---- in a loop


def _loop(function: Function, statement: ast.stmt) -> ast.For | None:
    loops = [n for n in ast.walk(function) if isinstance(n, ast.For) and any(x is statement for x in ast.walk(n))]
    return loops[-1] if loops else None


def _of_loop(
    edit: ScriptEdit, case: Case, kind: str, statement: ast.stmt, made: ast.Call, loop: ast.For, code: str
) -> None:
    """A list of layers, one for each turn, and a loop over them as well."""
    assigned = isinstance(statement, ast.Assign) and statement.value is made
    target = dotted(statement.targets[0]) if assigned and isinstance(statement, ast.Assign) else ""
    if "." in target:
        raise CannotEditError("The layer is given to an attribute in a loop.")
    one = target or _short(made)
    name = f"self.{free_attribute(case, one if one.endswith('s') else one + 's')}"
    each, over = ast.unparse(loop.target), ast.unparse(loop.iter)
    if (
        {n.id for n in ast.walk(loop.iter) if isinstance(n, ast.Name)}
        - {"range", "enumerate", "self", "zip"}
        - _globals(case)
    ):
        raise CannotEditError("It is not known how often the loop turns.")
    read = {n.id for s in loop.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
            and not any(n is x for x in ast.walk(made))}  # fmt: skip
    used = bool(read & {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)})
    edit.replace(edit.at(loop.iter), f"zip({over}, {name})" if used else name)
    edit.replace(edit.at(loop.target), f"{f'({each})' if ',' in each else each}, {one}" if used else one)
    if target:
        edit.remove_statement(statement.lineno)
    else:
        edit.replace(edit.at(made), one)
    container = dotted(_unmoved(made).func).rpartition(".")[0] or "torch.nn"
    container = container if container.endswith("nn") else "torch.nn"
    append_to_init(edit, case, kind, f"{name} = {container}.ModuleList([{code} for {each} in {over}])")


def _globals(case: Case) -> set[str]:
    return {n for a in case.script.assignments if a.function == "" for n in a.names}
