"""Inputs that lost what they told, or hold what is no number, repaired where that happens."""

import ast
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.constant_lines import TO_WHOLE
from osler.doctor.mending.input_edit import change_conversions
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import ScriptEdit
from osler.doctor.mending.value_edit import put
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding

CHOICE = "values of the inputs"
LOGS = {"log": "log1p"}
FRACTIONS = "float32"
SPREADS = ("std", "var", "ptp", "max", "sum", "norm")
LEAST = "1e-8"


# ---- constants


@prescribes("constant-input")
def alive(finding: Finding, case: Case) -> Iterator[Prescription]:
    """`/` for `//`, fractions for a conversion to whole numbers, and no zeros written over a part."""
    for step in _near(finding, case):
        for told, edit in _repairs(step):
            yield Prescription("repair the conversion", told, edit, choice=CHOICE)


def _near(finding: Finding, case: Case) -> list[Step]:
    """The steps on the way of the inputs, those at the finding's line first."""
    steps = [s for s in case.lines.inputs(case.models[0]) if s.line]
    line = finding.where.line or 0
    return sorted(steps, key=lambda s: s.line != line)[:40]


def _repairs(step: Step) -> Iterator[tuple[str, Edit]]:
    """What can be repaired in a step, each with its words."""
    for node in ast.walk(step.node):
        line = getattr(node, "lineno", step.line)
        if (
            isinstance(node, (ast.BinOp, ast.AugAssign))
            and isinstance(node.op, ast.FloorDiv)
            and "len(" not in ast.unparse(node)
        ):
            yield f"Divide with / in place of // at line {line}.", _true_division(node)
        elif isinstance(node, ast.Call) and "/" in ast.unparse(node) and _to_whole(node) is not None:
            yield f"Keep the fractions at line {line}: convert to float32.", _to_fractions(node)
    statement = step.node
    if (
        isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Subscript)
        and ast.unparse(statement.value) in ("0", "0.0")
    ):
        yield f"Leave line {step.line} out, which writes zeros over a part of the input.", _without(step.line)


def _true_division(node: ast.BinOp | ast.AugAssign) -> Edit:
    def change(edit: ScriptEdit) -> None:
        if isinstance(node, ast.BinOp):
            edit.change(edit.at(node), lambda now: now.with_changes(operator=_divide(now.operator)))
            return
        for _, there in edit.every(cst.AugAssign):
            if edit.line_of(there) == node.lineno and isinstance(there.operator, cst.FloorDivideAssign):
                edit.change(there, lambda now: now.with_changes(operator=cst.DivideAssign()))

    return change


def _divide(old: cst.BaseBinaryOp) -> cst.BaseBinaryOp:
    assert isinstance(old, cst.FloorDivide)
    return cst.Divide(whitespace_before=old.whitespace_before, whitespace_after=old.whitespace_after)


def _to_whole(call: ast.Call) -> str | None:
    """How a call makes whole numbers: the method's name, or the type that `astype` or `to` is given."""
    if not isinstance(call.func, ast.Attribute):
        return None
    if call.func.attr in ("astype", "to", "type") and call.args:
        kind = ast.unparse(call.args[0]).rpartition(".")[2].strip("'\"")
        return kind if kind in TO_WHOLE else None
    return call.func.attr if call.func.attr in TO_WHOLE and not call.args else None


def _to_fractions(node: ast.Call) -> Edit:
    def change(edit: ScriptEdit) -> None:
        assert isinstance(node.func, ast.Attribute)
        if node.func.attr not in ("astype", "to", "type"):
            edit.replace(edit.at(node), f"{edit.code(edit.at(node.func.value))}.float()")
            return
        old = edit.at(node.args[0])
        before, dot, _ = edit.code(old).rpartition(".")
        quoted = edit.code(old)[:1] in "'\""
        name = f"'{FRACTIONS}'" if quoted else f"{before}{dot}{FRACTIONS}" if dot else "float"
        edit.replace(old, name)

    return change


def _without(line: int) -> Edit:
    return lambda edit: edit.remove_statement(line)


# ---- what is no number


@prescribes("non-finite-input")
def finite(finding: Finding, case: Case) -> Iterator[Prescription]:
    """log1p for log, a small number added where a spread or a sum may be 0, what is missing filled in."""
    steps = _near(finding, case)
    seen: set[int] = set()
    for step in steps:
        for node in ast.walk(step.node):
            if id(node) in seen:
                continue
            seen.add(id(node))
            for told, edit in _finite(node):
                yield Prescription("repair the values", told, edit, choice=CHOICE)
    model = next((m for m in case.models if any(c.inputs and c.inputs[0].bad for c in m.calls)), case.models[0])

    def fill(edit: ScriptEdit) -> None:
        _skip_gaps(edit, steps)
        change_conversions(edit, case, model, "torch.nan_to_num({}, posinf=0.0, neginf=0.0)")

    yield Prescription(
        "repair the values", "Put 0 in the place of what is no number, with torch.nan_to_num.", fill, choice=CHOICE
    )


def _finite(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    if isinstance(node, ast.Call):
        name, last = dotted(node.func), dotted(node.func).rpartition(".")[2]
        if last in LOGS and name.partition(".")[0] in ("np", "numpy", "torch") and len(node.args) == 1:
            new = f"{name.rpartition('.')[0]}.{LOGS[last]}"
            yield (
                f"Use {new} in place of {name} at line {node.lineno}: the logarithm of 0 is infinite.",
                _renamed(node, new),
            )
        elif last in ("log", "log10", "log2") and node.args:
            yield f"Add a small number before {name} at line {node.lineno}.", _wrapped(node.args[0], "{} + 1e-6")
        elif last == "log" and isinstance(node.func, ast.Attribute):
            yield f"Use log1p in place of log at line {node.lineno}.", _renamed_method(node, "log1p")
        elif last == "sqrt" and node.args:
            yield (
                f"Take the root of {ast.unparse(node.args[0])[:40]} from 0 upwards.",
                _wrapped(node.args[0], "abs({})"),
            )
    elif (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and not isinstance(node.right, ast.Constant)
        and not any(
            isinstance(c, ast.Call) and dotted(c.func).rpartition(".")[2] == "len" for c in ast.walk(node.right)
        )
    ):
        told = f"Add {LEAST} to what line {node.lineno} divides by, which may be 0."
        yield told, _wrapped(node.right, f"({{}} + {LEAST})")


def _renamed(node: ast.Call, new: str) -> Edit:
    return lambda edit: edit.replace(edit.at(node.func), new)


def _renamed_method(node: ast.Call, new: str) -> Edit:
    def change(edit: ScriptEdit) -> None:
        edit.change(edit.at(node), lambda now: now.with_changes(func=now.func.with_changes(attr=cst.Name(new))))

    return change


def _wrapped(node: ast.expr, form: str) -> Edit:
    return lambda edit: put(edit, node, form)


def _skip_gaps(edit: ScriptEdit, steps: list[Step]) -> None:
    """Means and spreads of arrays of NumPy are taken over what is there."""
    for step in steps:
        for call in step.calls:
            if (
                isinstance(call.func, ast.Attribute)
                and call.func.attr in ("mean", "std")
                and dotted(call.func) not in ("np.mean", "np.std")
            ):
                there = edit.found(call)
                if isinstance(there, cst.Call) and "import numpy as np" in edit.original and _of_numpy(step):
                    value = edit.code(edit.at(call.func.value))
                    rest = ", ".join(
                        [value, *(edit.code(a.with_changes(comma=cst.MaybeSentinel.DEFAULT)) for a in there.args)]
                    )
                    edit.replace(there, f"np.nan{call.func.attr}({rest})")


def _of_numpy(step: Step) -> bool:
    return "torch" not in step.text
