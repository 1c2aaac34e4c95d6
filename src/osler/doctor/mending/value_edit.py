"""Values of a program changed where they stand: wrapped, with the brackets that they need, or changed behind their assignment."""

import ast

import libcst as cst

from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted

ATOMS = (cst.Name, cst.Call, cst.Attribute, cst.Subscript, cst.Integer, cst.Float, cst.Tuple, cst.List, cst.ListComp)
HOLDERS = (
    cst.Arg, cst.Assign, cst.AnnAssign, cst.Return, cst.Element, cst.Index, cst.NamedExpr, cst.Expr, cst.DictElement, cst.Lambda,
    cst.ListComp, cst.For,
)  # fmt: skip
PAIRS = ("TensorDataset", "zip")


def put(edit: ScriptEdit, node: ast.expr, form: str) -> None:
    """Puts `form` in the place of an expression, with that where `{}` stands, and brackets where one of the two needs them.

    >>> edit = ScriptEdit("y = torch.tensor(a - b)[:, None]\\n")
    >>> put(edit, ast.parse(edit.original).body[0].value.value, "{} / 255")
    >>> edit.source
    'y = (torch.tensor(a - b) / 255)[:, None]\\n'
    """
    there = edit.at(node)
    inner = "{}" if isinstance(there, ATOMS) or there.lpar or form == "{}" else "({})"
    text = form.replace("{}", inner, 1)
    outer = cst.parse_expression(form.replace("{}", "x", 1))
    alone = (
        isinstance(edit.parent(there), HOLDERS)
        or isinstance(outer, (cst.Call, cst.Name, cst.Subscript))
        or bool(outer.lpar)
    )
    edit.wrap(there, text if alone or there.lpar else f"({text})")


def first_of(node: ast.AST, place: int = 0) -> ast.AST:
    """Of what gives pairs (`return x, y`, `TensorDataset(x, y)`) the part at a place; else all of it."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return)) and node.value is not None:
        if (
            isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], (ast.Tuple, ast.List))
        ):
            return node.value
        return first_of(node.value, place)
    if isinstance(node, (ast.Tuple, ast.List)) and len(node.elts) >= 2 and place < len(node.elts):
        return first_of(node.elts[place], place)
    if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in PAIRS and place < len(node.args):
        return node.args[place]
    return node


def names_in(node: ast.AST) -> list[str]:
    """The names that an expression reads, in order, those of `self` as `self.x`; modules and called functions left out."""
    called = {id(c.func) for c in ast.walk(node) if isinstance(c, ast.Call)}
    holders = {id(a.value) for a in ast.walk(node) if isinstance(a, ast.Attribute) and id(a) in called}
    found: list[str] = []
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and dotted(part).startswith("self.") and id(part) not in called:
            found.append(dotted(part))
        elif (
            isinstance(part, ast.Name)
            and id(part) not in called
            and (id(part) not in holders or part.id not in MODULES)
        ):
            found.append(part.id)
    return list(dict.fromkeys(n for n in found if n not in ("self", *MODULES)))


MODULES = ("np", "numpy", "torch", "F", "nn", "cv2", "math", "random", "os", "pd")


def targets_of(statement: ast.AST) -> list[str]:
    """The names that an assignment gives values; empty where it is none of plain names."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return []
    target = statement.targets[0]
    parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    names = [dotted(p) for p in parts if isinstance(p, (ast.Name, ast.Attribute))]
    return names if len(names) == len(parts) and all(names) else []


def carried(steps: list[Step], step: Step, place: int) -> str | None:
    """Which name of an assignment the traced value has: the one that nearer steps read; at several the one at `place`."""
    names = targets_of(step.node)
    if len(names) < 2:
        return names[0] if names else None
    nearer = steps[: next((k for k, s in enumerate(steps) if s is step), 0)]
    read = {n for s in nearer for n in names_in(first_of(s.node, place))}
    used = [n for n in names if n in read]
    return used[0] if len(used) == 1 else names[place] if place < len(names) else None


def part_of(steps: list[Step], step: Step, place: int) -> ast.AST:
    """Of a step that gives several values at once that which the traced one comes from."""
    node = step.node
    names, name = targets_of(node), carried(steps, step, place)
    value = node.value if isinstance(node, ast.Assign) else None
    if isinstance(value, ast.Tuple) and name in names and len(value.elts) == len(names):
        return value.elts[names.index(name)]
    return first_of(node, place)


def change_after(edit: ScriptEdit, step: Step, code: str) -> None:
    """Puts a statement behind the assignment at a step.

    Raises:
        CannotEditError: others stand on its line.
    """
    statement = edit.statement(step.line)
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        edit.insert_after(step.line, code)
        return
    raise CannotEditError("Several statements stand on the line.")


def unwrap_division(edit: ScriptEdit, node: ast.AST) -> None:
    """Takes a division, or a subtraction and division, off what it scales.

    Raises:
        CannotEditError: it has another form.
    """
    if isinstance(node, ast.AugAssign):
        edit.remove_statement(node.lineno)
        return
    if not isinstance(node, ast.BinOp):
        raise CannotEditError("It is no division.")
    inner: ast.expr = node.left
    while isinstance(inner, ast.BinOp) and isinstance(inner.op, (ast.Sub, ast.Add)):
        inner = inner.left
    kept = edit.at(inner)
    statement = edit.statement(node.lineno)
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        whole = statement.body[0]
        target = whole.targets[0].target if isinstance(whole, cst.Assign) and whole.value is edit.at(node) else None
        if target is not None and edit.code(target) == edit.code(kept):  # `x = x` would be left
            edit.remove_node(statement)
            return
    edit.change(edit.at(node), lambda now: _left(now, kept))


def _left(now: cst.BaseExpression, kept: cst.BaseExpression) -> cst.BaseExpression:
    """The innermost left operand, its brackets kept."""
    left = now
    while isinstance(left, cst.BinaryOperation):
        left = left.left
    return left if isinstance(left, type(kept)) else now
