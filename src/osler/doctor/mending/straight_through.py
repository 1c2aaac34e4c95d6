"""Steps on the way to a loss, which have no slope: passed by the gradient as if they were not there, or made soft.

Straight-through: Bengio, Leonard and Courville 2013, section 4.
"""

import ast

from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted

FLAT = ("round", "sign", "floor", "ceil", "trunc", "heaviside", "bernoulli")
TYPES = ("float", "double", "long", "int", "bool", "to", "type", "type_as", "half")
CODES = ("one_hot",)


def pass_through(edit: ScriptEdit, statement: ast.stmt) -> None:
    """`h = torch.round(z)` becomes `h = z + (torch.round(z) - z).detach()`, `z` named first where it is computed there.

    Raises:
        CannotEditError: no step stands in the statement, or it computes several values.
    """
    step = _step(statement)
    inner = _of_step(step)
    code, name = ast.unparse(inner), _target(statement)
    alone = getattr(statement, "value", None) is step
    if isinstance(inner, ast.Name):
        whole = f"{code} + ({_with(step, inner, code)} - {code}).detach()"
        edit.replace(edit.at(step), whole if alone else f"({whole})")
        return
    soft = name or "soft"
    whole = f"{soft} + ({_with(step, inner, soft)} - {soft}).detach()"
    if alone and name:
        edit.replace_statement(statement.lineno, f"{soft} = {code}\n{name} = {whole}")
    else:
        edit.insert_before(statement.lineno, f"{soft} = {code}")
        edit.replace(edit.at(step), f"({whole})")


def _step(statement: ast.stmt) -> ast.expr:
    """The outermost expression that is a step, with the changes of type around it."""
    found = [n for n in ast.walk(statement) if isinstance(n, ast.expr) and _is_step(n)]
    if not found:
        raise CannotEditError("No step stands there.")
    return found[0]


def _is_step(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr in TYPES:
        inner = node.func.value
        return isinstance(inner, ast.Compare) or _is_step(inner) or node.func.attr in ("long", "int", "bool")
    return dotted(node.func).rpartition(".")[2] in FLAT or (
        isinstance(node.func, ast.Attribute) and node.func.attr in FLAT
    )


def _of_step(node: ast.expr) -> ast.expr:
    """What a step is made of."""
    if isinstance(node, ast.Compare):
        return node.left
    assert isinstance(node, ast.Call)
    if isinstance(node.func, ast.Attribute) and node.func.attr in TYPES:
        inner = node.func.value
        return _of_step(inner) if isinstance(inner, ast.Compare) or _is_step(inner) else inner
    if dotted(node.func).startswith(("torch.", "F.")) and node.args:
        return node.args[0]
    if isinstance(node.func, ast.Attribute):
        return node.func.value
    raise CannotEditError("It is not seen what the step is taken of.")


def _with(step: ast.expr, inner: ast.expr, code: str) -> str:
    """The step as text, of `code` in the place of `inner`."""

    class Exchange(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return ast.Name(code, ast.Load()) if node is inner else super().generic_visit(node)

    copy = ast.parse(ast.unparse(step), mode="eval").body

    inner = next(n for n in ast.walk(copy) if isinstance(n, ast.expr) and ast.unparse(n) == ast.unparse(inner))
    return ast.unparse(Exchange().visit(copy))


def _target(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _argmax(node: ast.AST) -> ast.Call | None:
    """The first argmax in a piece of a script."""
    return next(
        (n for n in ast.walk(node)
         if isinstance(n, ast.Call) and (dotted(n.func).endswith("argmax") or getattr(n.func, "attr", "") == "argmax")), None,
    )  # fmt: skip


def _of_argmax(call: ast.Call) -> tuple[ast.expr, str]:
    """The scores of which an argmax is taken, and along which axis."""
    named = dotted(call.func).startswith("torch.")
    scores = call.args[0] if named else getattr(call.func, "value", None)
    if scores is None:
        raise CannotEditError("It is not seen what the argmax is taken of.")
    rest = [*call.args[1 if named else 0 :], *(k.value for k in call.keywords if k.arg in ("dim", "axis"))]
    return scores, ast.unparse(rest[0]) if rest else "-1"


def soft_choice(edit: ScriptEdit, statement: ast.stmt) -> None:
    """`F.one_hot(scores.argmax(1), 4).float()` becomes `torch.softmax(scores, dim=1)`.

    Raises:
        CannotEditError: no argmax is made a code there.
    """
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in CODES and (found := _argmax(node)):
            scores, axis = _of_argmax(found)
            whole: ast.expr = _typed(statement, node)
            edit.replace(edit.at(whole), f"torch.softmax({ast.unparse(scores)}, dim={axis})")
            return
    raise CannotEditError("No argmax is made a code there.")


def _typed(statement: ast.stmt, node: ast.expr) -> ast.expr:
    """The expression with the changes of type around it."""
    for outer in ast.walk(statement):
        called = isinstance(outer, ast.Call) and isinstance(outer.func, ast.Attribute) and outer.func.attr in TYPES
        if (
            called
            and isinstance(outer, ast.Call)
            and isinstance(outer.func, ast.Attribute)
            and outer.func.value is node
        ):
            return _typed(statement, outer)
    return node


def class_loss(edit: ScriptEdit, statement: ast.stmt) -> None:
    """`loss = (out.argmax(1) != y).float().mean()` becomes `loss = torch.nn.functional.cross_entropy(out, y)`.

    Raises:
        CannotEditError: no argmax is compared with labels there.
    """
    value = getattr(statement, "value", None)
    found = _argmax(value) if value is not None else None
    if value is None or found is None or not _target(statement):
        raise CannotEditError("No argmax is compared with labels there.")
    labels = _labels(value, found)
    scores, _ = _of_argmax(found)
    edit.replace(edit.at(value), f"{_functional(edit)}cross_entropy({ast.unparse(scores)}, {ast.unparse(labels)})")


def _functional(edit: ScriptEdit) -> str:
    lines = edit.original.splitlines()
    for line in lines:
        for form in ("import torch.nn.functional as ", "from torch.nn import functional as "):
            if line.strip().startswith(form):
                return line.strip()[len(form) :].split()[0] + "."
    return (
        "nn.functional."
        if any("nn" in x and "import" in x for x in lines) and "nn." in edit.original
        else "torch.nn.functional."
    )


def _labels(value: ast.expr, argmax: ast.Call) -> ast.expr:
    """What an argmax is compared with, or given to a function with."""
    for node in ast.walk(value):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.BinOp):
            sides = [node.left, node.right]
        elif isinstance(node, ast.Call) and len(node.args) >= 2 and not dotted(node.func).endswith("argmax"):
            sides = node.args[:2]
        others = [s for s in sides if not any(n is argmax for n in ast.walk(s))]
        if (
            len(sides) == 2
            and len(others) == 1
            and isinstance(_plain(others[0]), (ast.Name, ast.Attribute, ast.Subscript))
        ):
            return _plain(others[0])
    raise CannotEditError("No argmax is compared with labels there.")


def _plain(node: ast.expr) -> ast.expr:
    """`y` of `y.float()`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TYPES:
        return node.func.value
    return node
