"""Steps of a script that can turn what varies into a constant."""

import ast

from osler.doctor.data_lines import calls_any
from osler.doctor.provenance import Step

TO_WHOLE = {
    "uint8",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "byte",
    "short",
    "bool",
    "floor",
    "trunc",
    "round",
}


def constant_making(step: Step) -> bool:
    """An integer division, a conversion to whole numbers of what was scaled, a product with zero, an emptied channel."""
    for node in ast.walk(step.node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv) and not _of_a_size(node):
            return True
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.FloorDiv):
            return True
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and _is_zero(node.left, node.right):
            return True
        if isinstance(node, ast.Call) and _to_whole_after_division(node):
            return True
    if (
        isinstance(step.node, ast.Assign)
        and _is_zero(step.node.value)
        and isinstance(step.node.targets[0], ast.Subscript)
    ):
        return True
    return calls_any("zero_", "floor_divide")(step)


def cuts_fractions(step: Step) -> bool:
    """Whether a step divides and keeps whole numbers alone; a comparison that makes 0 and 1 on purpose is another thing."""
    if any(isinstance(n, ast.Compare) for n in ast.walk(step.node)) or "round" in step.text or "where(" in step.text:
        return False
    floor = any(
        isinstance(n, ast.BinOp) and isinstance(n.op, ast.FloorDiv) and not _of_a_size(n) for n in ast.walk(step.node)
    )
    return floor or any(isinstance(n, ast.Call) and _to_whole_after_division(n) for n in ast.walk(step.node))


def _of_a_size(node: ast.BinOp) -> bool:
    """`size // 2`, as in computing where something is to stand: within brackets of an index or a range."""
    return isinstance(node.left, (ast.Constant,)) or "len(" in ast.unparse(node)


def _is_zero(*nodes: ast.expr) -> bool:
    return any(
        isinstance(n, ast.Constant) and not isinstance(n.value, (str, bytes, bool)) and n.value == 0 for n in nodes
    )


def _to_whole_after_division(call: ast.Call) -> bool:
    text = ast.unparse(call)
    named = isinstance(call.func, ast.Attribute) and call.func.attr in TO_WHOLE
    typed = any(kind in ast.unparse(a).split(".")[-1].strip("'\"") for a in call.args for kind in TO_WHOLE)
    whole = named or (isinstance(call.func, ast.Attribute) and call.func.attr in ("astype", "to", "type") and typed)
    return whole and "/" in text
