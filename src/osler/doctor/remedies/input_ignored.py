"""The input passed on: what overwrites or cancels it left out, and layers in its way that put out the same for all."""

import ast
import re
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.checks.input_ignored import _MADE_ANEW
from osler.doctor.mending.class_edit import Function
from osler.doctor.mending.layer_edit import model_with, take_out
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding

CHOICE = "way of the input"
MOST = 4
ROUNDED = ("clamp", "clip", "floor", "round", "trunc", "long", "int", "byte", "bool", "sign", "threshold", "hardtanh", "layer_norm",
           "instance_norm", "zero_", "fill_", "zeros_like", "ones_like", "dropout", "softmax")  # fmt: skip


@prescribes("input-ignored")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Without what takes the input's place; without what cancels it; without the layer that puts out the same for all."""
    for function in _forwards(case):
        yield from _replaced(finding, function)
        yield from _cancelled(function)
        yield from _masked(case, function)
    layer = finding.where.layer
    if layer is not None and not _has_matrix(case, layer):

        def without(edit: ScriptEdit) -> None:
            take_out(edit, case, layer)

        yield Prescription(
            "leave the layer out", f"Take {layer}, which puts out the same for all, out.", without, choice=CHOICE
        )
    for function in _forwards(case):
        yield from _flattened(function)


def _forwards(case: Case) -> list[Function]:
    """The methods of the network's class that run in a pass, `forward` first; what a program's function does in its place."""
    kinds = {m.kind for m in case.models}
    functions = case.script.functions().items()
    found = [
        f for n, f in functions if n.rpartition(".")[0] in kinds and f.name not in ("__init__", "fit", "train_step")
    ]
    return sorted(found, key=lambda f: f.name != "forward")


def _has_matrix(case: Case, layer: str) -> bool:
    model, seen = model_with(case, layer)
    return any(len(model.parameters[n].shape) >= 2 for n in seen.parameters if n in model.parameters)


def _given(function: Function) -> list[str]:
    return [a.arg for a in function.args.args if a.arg != "self"]


def _assignments(function: Function) -> list[ast.Assign]:
    found = [n for n in ast.walk(function) if isinstance(n, ast.Assign)]
    return sorted(found, key=lambda n: n.lineno)


def _replacing(node: ast.expr, code: str) -> Edit:
    return lambda edit: edit.replace(edit.at(node), code)


def _removing(line: int) -> Edit:
    return lambda edit: edit.remove_statement(line)


# ---- something else in its place


def _replaced(finding: Finding, function: Function) -> Iterator[Prescription]:
    """A value that is not made of the input: left out, where it overwrites the input; else the input in its place."""
    carried, last = set(_given(function)), _given(function)[:1]
    for node in _assignments(function):
        read = _passed(node.value)
        targets = [n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        made = _made_anew(node.value)
        only_shape = bool(made) and all(
            any(n is x for c in made for x in ast.walk(c)) for n in _reads(node.value, carried)
        )
        if read & carried and not only_shape:
            carried |= set(targets)
            last = targets[:1] or last
        elif last and (only_shape or set(targets) & carried or node.lineno == finding.where.line):
            yield _without(node, last[0], made)
            return
    yield from _made_within(function)


def _passed(value: ast.expr) -> set[str]:
    """The names whose values an expression is made of: not those of which it reads the shape alone, as `len(x)` does."""
    sizes = {
        n for outer in ast.walk(value)
        if (isinstance(outer, ast.Attribute) and outer.attr in ("shape", "size", "device", "dtype", "ndim"))
        or (isinstance(outer, ast.Call) and dotted(outer.func) == "len")
        for n in ast.walk(outer) if isinstance(n, ast.Name)
    }  # fmt: skip
    return {n.id for n in ast.walk(value) if isinstance(n, ast.Name) and n not in sizes} - {"self"}


def _without(node: ast.Assign, last: str, made: list[ast.Call]) -> Prescription:
    """The statement left out, or with the last value that came from the input where another one was made."""
    target = dotted(node.targets[0])
    line = node.lineno

    gone = bool(made) and node.value is made[0] and target == last
    told = (
        f"Leave out line {line}, which overwrites {last}."
        if gone
        else f"Use {last} at line {line}, which comes from the input."
    )

    def change(edit: ScriptEdit) -> None:
        if gone:
            edit.remove_statement(line)
        elif made:
            edit.replace(edit.at(made[0]), last)
        else:
            edit.replace(edit.at(_argument(node.value)), last)

    return Prescription("pass the input on", told, change, choice=CHOICE)


def _argument(value: ast.expr) -> ast.expr:
    """The innermost thing that a layer of the network is given."""
    calls = [n for n in ast.walk(value) if isinstance(n, ast.Call) and dotted(n.func).startswith("self.") and n.args]
    if not calls:
        raise CannotEditError("No layer is called there.")
    return calls[-1].args[0]


def _made_anew(value: ast.AST) -> list[ast.Call]:
    return [n for n in ast.walk(value) if isinstance(n, ast.Call) and _last(n) in _MADE_ANEW]


def _last(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)


def _reads(value: ast.AST, names: set[str]) -> list[ast.Name]:
    return [n for n in ast.walk(value) if isinstance(n, ast.Name) and n.id in names]


def _made_within(function: Function) -> Iterator[Prescription]:
    """A layer that is given a tensor made anew, within a larger expression: the input in its place."""
    given = _given(function)
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not dotted(node.func).startswith("self.") or not node.args or not given:
            continue
        if node.args[0] in _made_anew(node) and isinstance(node.args[0], ast.Call):
            place = node.args[0]
            yield Prescription(
                "pass the input on", f"Give {ast.unparse(node.func)} the input {given[0]} at line {node.lineno}.",
                _replacing(place, given[0]), choice=CHOICE,
            )  # fmt: skip
            return


# ---- cancelled


def _cancelled(function: Function) -> Iterator[Prescription]:
    """A product with zero, or a difference of a thing and itself: the thing in its place."""
    for node in ast.walk(function):
        if not isinstance(node, ast.BinOp):
            continue
        kept = _kept(node)
        if kept is None:
            continue
        code = f"Use {ast.unparse(kept)} alone at line {node.lineno}: nothing of it is left."
        yield Prescription(
            "do not cancel it",
            code,
            _replacing(node, f"({ast.unparse(kept)})" if isinstance(kept, ast.BinOp) else ast.unparse(kept)),
            choice=CHOICE,
        )
        return
    for assigned in ast.walk(function):
        zero = isinstance(assigned, ast.AugAssign) and isinstance(assigned.op, ast.Mult) and _is_zero(assigned.value)
        if zero and isinstance(assigned, ast.AugAssign):
            line = assigned.lineno
            yield Prescription(
                "do not cancel it",
                f"Leave out line {line}.",
                _removing(line),
                choice=CHOICE,
            )
            return


def _kept(node: ast.BinOp) -> ast.expr | None:
    if isinstance(node.op, ast.Sub) and ast.unparse(node.left) == ast.unparse(node.right):
        return node.left
    if isinstance(node.op, ast.Mult):
        return node.left if _is_zero(node.right) else node.right if _is_zero(node.left) else None
    return None


def _is_zero(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value == 0 and not isinstance(node.value, bool)
    return isinstance(node, ast.Call) and _last(node) in ("zeros_like", "zeros", "new_zeros")


def _masked(case: Case, function: Function) -> Iterator[Prescription]:
    """A product with an attribute that the constructor fills with zeros: ones in their place."""
    factors = {
        dotted(side).removeprefix("self.")
        for n in ast.walk(function)
        if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult)
        for side in (n.left, n.right)
        if dotted(side).startswith("self.")
    }
    for call in case.script.calls_of("zeros"):
        text = case.script.lines[call.line - 1]
        stored = [f for f in factors if re.search(rf"self\.{f}\s*=|register_buffer\(\s*['\"]{f}['\"]", text)]
        if stored and isinstance(call.node.func, ast.Attribute) and "Parameter" not in text:
            told = f"Let {stored[0]}, by which values are multiplied, be ones at line {call.line}."
            prefix = ast.unparse(call.node.func.value)
            yield Prescription(
                "do not multiply by zero", told,
                _replacing(call.node.func, f"{prefix}.ones"), choice=CHOICE,
            )  # fmt: skip
            return


# ---- made equal by rounding, clamping, or a norm over one value


def _flattened(function: Function) -> Iterator[Prescription]:
    """Statements that change a value by what may make all samples equal: each left out."""
    found = 0
    for node in _assignments(function):
        target = dotted(node.targets[0])
        calls = [n for n in ast.walk(node.value) if isinstance(n, ast.Call)]
        rounds = any(_last(c) in ROUNDED for c in calls) or any(
            isinstance(n, ast.BinOp) and isinstance(n.op, ast.FloorDiv) for n in ast.walk(node.value)
        )
        layered = any(dotted(c.func).startswith("self.") for c in calls)
        if rounds and not layered and _reads(node.value, {target}):
            line = node.lineno
            yield Prescription(
                "leave the step out", f"Leave out line {line}, which makes all samples equal.",
                _removing(line), choice=CHOICE,
            )  # fmt: skip
            found += 1
            if found == MOST:
                return
