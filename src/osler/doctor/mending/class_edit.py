"""Classes of a program: what their constructors give attributes, and statements added to these."""

import ast
import re

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted

Function = ast.FunctionDef | ast.AsyncFunctionDef


def attribute_assignments(case: Case, name: str) -> list[ast.expr]:
    """What `self.name` is given, in the order of lines; `+=` and the like left out."""
    found = []
    for node in ast.walk(case.script.tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Attribute) and dotted(t) == f"self.{name}" for t in targets):
                found.append(node.value)
    return sorted(found, key=lambda value: value.lineno)


def assignment_of(case: Case, name: str, line: int | None) -> ast.expr | None:
    """What `self.name` is given, nearest to a line."""
    found = attribute_assignments(case, name)
    return min(found, key=lambda value: abs(value.lineno - (line or 0))) if found else None


def function_node(case: Case, line: int) -> Function | None:
    """The innermost function around a line."""
    found = [f for f in case.script.functions().values() if f.lineno <= line <= (f.end_lineno or f.lineno)]
    return max(found, key=lambda f: f.lineno) if found else None


def class_around(case: Case, line: int) -> ast.ClassDef | None:
    """The innermost class around a line."""
    found = [c for c in case.script.classes().values() if c.lineno <= line <= (c.end_lineno or c.lineno)]
    return max(found, key=lambda c: c.lineno) if found else None


def method(holder: ast.ClassDef, name: str) -> Function | None:
    """A method of a class itself."""
    return next(
        (f for f in holder.body if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) and f.name == name), None
    )


def append_to_function(edit: ScriptEdit, function: Function, code: str) -> None:
    """Puts statements at a function's end, before a `return` that ends it."""
    last = function.body[-1]
    if isinstance(last, ast.Return):
        edit.insert_before(last.lineno, code)
    else:
        edit.insert_after(last.lineno, code)


def append_to_init(edit: ScriptEdit, case: Case, kind: str, code: str) -> None:
    """Puts statements at the end of a class's constructor, which is written where it has none.

    Raises:
        CannotEditError: the program has no such class.
    """
    holder = case.script.classes().get(kind)
    if holder is None:
        raise CannotEditError(f"There is no class {kind}.")
    made = method(holder, "__init__")
    if made is not None:
        append_to_function(edit, made, code)
        return
    first = next((f for f in holder.body if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef))), None)
    if first is None:
        raise CannotEditError(f"{kind} has no methods.")
    body = "\n".join(f"    {line}" for line in code.splitlines())
    edit.insert_before(first.lineno, f"def __init__(self):\n    super().__init__()\n{body}\n")


def add_base(edit: ScriptEdit, holder: ast.ClassDef, base: str) -> None:
    """Derives a class that has no base from one, and lets its constructor call that of the base first.

    Raises:
        CannotEditError: the class is not found, or has no constructor.
    """
    found = next((n for line, n in edit.every(cst.ClassDef) if n.name.value == holder.name), None)
    made = method(holder, "__init__")
    if found is None or made is None:
        raise CannotEditError(f"{holder.name} has no constructor.")
    edit.change(
        found,
        lambda now: now.with_changes(
            bases=[cst.Arg(cst.parse_expression(base))], lpar=cst.LeftParen(), rpar=cst.RightParen()
        ),
    )
    first = made.body[1] if len(made.body) > 1 and _is_text(made.body[0]) else made.body[0]
    edit.insert_before(first.lineno, "super().__init__()")


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def free_attribute(case: Case, wish: str) -> str:
    """A name for an attribute that the program does not use yet: `linear`, else `linear2` and so on."""
    taken = set(re.findall(r"self\.(\w+)", case.script.source))
    number = 1
    while (name := wish if number == 1 else f"{wish}{number}") in taken:
        number += 1
    return name
