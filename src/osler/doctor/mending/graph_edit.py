"""What keeps a gradient from getting through, taken out: blocks and decorators without gradients, and conversions of values."""

import ast
from typing import Any

import libcst as cst

from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import ScriptReading, dotted

OFF = ("no_grad", "inference_mode", "set_grad_enabled")
MADE = ("tensor", "from_numpy", "as_tensor", "FloatTensor", "Tensor", "Variable")
OUT = ("detach", "detach_", "numpy", "item", "tolist", "requires_grad_")
KEPT = ("cpu", "cuda", "to", "float", "double", "clone", "half")  # methods that may stand around a cut


def is_off(node: ast.AST) -> bool:
    """Whether an expression switches gradients off."""
    called = node.func if isinstance(node, ast.Call) else node
    return dotted(called).rpartition(".")[2] in OFF


def open_block(edit: ScriptEdit, script: ScriptReading, line: int) -> bool:
    """Takes a `with torch.no_grad():` or a decorator that begins at a line away; what stood in it stays. False: none is."""
    for node in ast.walk(script.tree):
        if isinstance(node, ast.With) and node.lineno == line and any(is_off(i.context_expr) for i in node.items):
            _open_with(edit, edit.statement(line))
            return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for place, decorator in enumerate(node.decorator_list):
                if decorator.lineno == line and is_off(decorator):
                    _take_decorator(edit, node.name, place, line)
                    return True
    return False


def _open_with(edit: ScriptEdit, statement: cst.CSTNode) -> None:
    def opened(now: Any) -> Any:
        kept = [i for i in now.items if _last(i.item) not in OFF]
        if kept:
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
            return now.with_changes(items=kept)
        if isinstance(now.body, cst.SimpleStatementSuite):
            end = now.body.trailing_whitespace
            body: list[Any] = [cst.SimpleStatementLine(now.body.body, trailing_whitespace=end)]
        else:
            body = list(now.body.body)
        comment = getattr(getattr(now.body, "header", None), "comment", None)
        above = [*now.leading_lines, *([cst.EmptyLine(comment=comment)] if comment is not None else [])]
        body[0] = body[0].with_changes(leading_lines=[*above, *body[0].leading_lines])
        return cst.FlattenSentinel(body)

    if not isinstance(statement, cst.With):
        raise CannotEditError("The block without gradients is not found.")
    edit.change(statement, opened)


def _last(node: cst.BaseExpression) -> str:
    called = node.func if isinstance(node, cst.Call) else node
    return called.attr.value if isinstance(called, cst.Attribute) else getattr(called, "value", "")


def _take_decorator(edit: ScriptEdit, name: str, place: int, line: int) -> None:
    found = [
        node
        for first, node in edit.every(cst.FunctionDef)
        if node.name.value == name and 0 <= first - line <= 2 * len(node.decorators) + 2
    ]
    if not found:
        raise CannotEditError(f"{name} is not found.")
    left = found[0].decorators[place]
    kept = [d for d in found[0].decorators if d is not left]
    lines = [*found[0].leading_lines, *left.leading_lines]
    edit.change(found[0], lambda now: now.with_changes(decorators=kept, leading_lines=lines))


def uncut(node: ast.expr) -> ast.expr:
    """The expression whose values another one takes out of the graph; the same where it takes none out.

    `z` of `torch.tensor(z.detach().numpy())`, of `z.data` and of `torch.tensor([[v.item() for v in row] for row in z])`.
    """
    if isinstance(node, ast.Attribute) and node.attr == "data":
        return uncut(node.value)
    if not isinstance(node, ast.Call):
        return node
    last = dotted(node.func).rpartition(".")[2]
    if isinstance(node.func, ast.Attribute) and node.func.attr in OUT:
        return uncut(node.func.value)
    if isinstance(node.func, ast.Attribute) and node.func.attr in KEPT:
        inner = uncut(node.func.value)
        return inner if inner is not node.func.value else node
    if last in (*MADE, "array", "asarray") and node.args:
        return _of_values(node.args[0])
    if last == "float" and isinstance(node.func, ast.Name) and len(node.args) == 1:
        return uncut(node.args[0])
    return node


def _of_values(given: ast.expr) -> ast.expr:
    """What the numbers come from that a new tensor is made of."""
    if isinstance(given, ast.ListComp) and len(given.generators) == 1:
        inner = given.elt
        while isinstance(inner, ast.ListComp):
            inner = inner.elt
        plain = uncut(inner)
        if isinstance(plain, ast.Name):
            return given.generators[0].iter
        stacked = ast.ListComp(plain, given.generators) if isinstance(given.elt, ast.Call) else given
        return ast.Call(ast.parse("torch.stack", mode="eval").body, [stacked], [])
    if isinstance(given, (ast.List, ast.Tuple)) and given.elts and all(_is_named(uncut(e)) for e in given.elts):
        parts = ast.List([uncut(e) for e in given.elts], ast.Load())
        return ast.Call(ast.parse("torch.stack", mode="eval").body, [parts], [])
    return uncut(given)


def _is_named(node: ast.expr) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute, ast.Call, ast.BinOp))


def without_cuts(node: ast.expr) -> str:
    """An expression as text, with nothing in it that takes values out of the graph."""
    return ast.unparse(_Uncut().visit(ast.parse(ast.unparse(node), mode="eval").body))


class _Uncut(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> Any:
        """What a cut is made of, its parts seen to as well."""
        if isinstance(node, ast.expr) and (inner := uncut(node)) is not node and not _of_plain_numbers(inner):
            return self.visit(inner)
        return self.generic_visit(node)


def cuts_in(node: ast.AST) -> list[ast.expr]:
    """The outermost expressions of a piece of a script that take values out of the graph."""
    if isinstance(node, ast.expr) and uncut(node) is not node and not _of_plain_numbers(uncut(node)):
        return [node]
    return [cut for child in ast.iter_child_nodes(node) for cut in cuts_in(child)]


def _of_plain_numbers(node: ast.expr) -> bool:
    return not any(isinstance(n, (ast.Name, ast.Attribute)) for n in ast.walk(node))
