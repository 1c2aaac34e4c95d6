"""Fewer layers, shortcuts around them, or a norm behind each."""

import ast
import re
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.layer_edit import model_with
from osler.doctor.mending.norm_edit import put_norms
from osler.doctor.mending.number_edit import number, set_number
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding

FEW, NEAR = 3, 4  # layers that are left; how far a number may be from the depth that was counted
LEAST = 8
CHOICE = "depth"


@prescribes("too-deep-plain")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Fewer layers where a number says how many; a norm behind each; shortcuts where a loop calls layers of one width."""
    layer = finding.where.layer
    if layer is None:
        return
    names = _alike(case, layer)
    yield Prescription("remove layers", f"Use {FEW} such layers.", lambda e: _fewer(e, case, len(names)), choice=CHOICE)
    yield Prescription(
        "add normalisation", "Put batch norm after each layer.", lambda e: put_norms(e, case, names), choice=CHOICE
    )
    yield Prescription(
        "add shortcuts",
        "Add what each layer is given to what it makes.",
        lambda e: _shortcuts(e, case, layer),
        choice=CHOICE,
    )


def _alike(case: Case, layer: str) -> list[str]:
    """The layers of the same kind and widths."""
    model, seen = model_with(case, layer)
    widths = ("in_features", "out_features", "in_channels", "out_channels")
    own = [seen.options.get(w) for w in widths]
    return [n for n, x in model.layers.items() if x.kind == seen.kind and [x.options.get(w) for w in widths] == own]


def _shortcuts(edit: ScriptEdit, case: Case, layer: str) -> None:
    """`for layer in self.layers: x = relu(layer(x))` becomes `x = x + relu(layer(x))`, where no width changes."""
    path = layer.split(".")
    while path and path[-1].isdigit():
        path.pop()
    model, _ = model_with(case, layer)
    places = re.compile(re.escape(".".join(path)) + r"\.\d+")
    inside = [x for n, x in model.layers.items() if places.fullmatch(n) and x.order is not None]
    holder = path[-1] if path else ""
    if not holder or not inside or any(x.input_shape != x.output_shape for x in inside):
        raise CannotEditError("The layers change the width, or are not kept in a list.")
    for _, loop in edit.every(cst.For):
        if not edit.code(loop.iter).endswith(f".{holder}") or not isinstance(loop.target, cst.Name):
            continue
        inner = [
            s
            for _, s in edit.every(cst.Assign)
            if loop in edit.above(s) and f"{loop.target.value}(" in edit.code(s.value)
        ]
        target = edit.code(inner[-1].targets[0].target) if inner else ""
        if inner and target:
            edit.wrap(inner[-1].value, f"{target} + {{}}")
            return
    raise CannotEditError("The layers are not called in a loop.")


def _fewer(edit: ScriptEdit, case: Case, depth: int) -> None:
    """Another number where one says how many layers are made."""
    for value, function in _counts(case):
        now = number(case.script, value, function)
        if now is not None and now >= LEAST and abs(now - depth) <= NEAR:
            set_number(edit, case.script, value, function, str(FEW))
            return
    raise CannotEditError("No number says how many layers there are.")


def _counts(case: Case) -> Iterator[tuple[ast.expr, str]]:
    """What ranges count to, and what lists are repeated by."""
    for call in case.script.calls_of("range"):
        bound = call.node.args[min(1, len(call.node.args) - 1)] if call.node.args else None
        if bound is not None:
            yield from ((part, call.function) for part in (bound, *_parts(bound)))
    functions: list[tuple[str, ast.AST]] = [*case.script.functions().items(), ("", case.script.tree)]
    for name, function in functions:
        for node in ast.walk(function):
            if (
                isinstance(node, ast.BinOp)
                and isinstance(node.op, ast.Mult)
                and isinstance(node.left, (ast.List, ast.ListComp))
            ):
                yield node.right, name


def _parts(value: ast.expr) -> list[ast.expr]:
    return (
        [n for n in ast.walk(value) if isinstance(n, (ast.Name, ast.Attribute)) and dotted(n)]
        if isinstance(value, ast.BinOp)
        else []
    )
