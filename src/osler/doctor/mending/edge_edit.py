"""Operations with an edge kept off it: the square root, the logarithm, the division, the exponential and their kind."""

import re

import libcst as cst

from osler.doctor.mending.activation_edit import functional
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name
from osler.doctor.mending.value_edit import ATOMS

SMALL, SMALLEST = "1e-8", "1e-7"
LARGEST = "30.0"  # of an exponential: e^30 is 1e13
CLAMPS = {
    "log": f"min={SMALLEST}", "log2": f"min={SMALLEST}", "log10": f"min={SMALLEST}", "sqrt": f"min={SMALL}",
    "rsqrt": f"min={SMALL}", "pow": f"min={SMALL}", "log1p": "min=-1 + 1e-7", "exp": f"max={LARGEST}",
    "acos": "-1 + 1e-6, 1 - 1e-6", "arccos": "-1 + 1e-6, 1 - 1e-6", "asin": "-1 + 1e-6, 1 - 1e-6",
    "arcsin": "-1 + 1e-6, 1 - 1e-6", "atanh": "-1 + 1e-6, 1 - 1e-6", "arctanh": "-1 + 1e-6, 1 - 1e-6",
}  # fmt: skip
ADDED = ("sqrt", "rsqrt", "log", "log2", "log10", "pow", "reciprocal")  # whose edge is at 0
GUARDED = re.compile(r"\beps|1e-|clamp|clip|tiny|nan_to_num|maximum\(|relu")
COMBINED = {("log", "softmax"): "log_softmax", ("log", "sigmoid"): "logsigmoid"}
LIBRARIES = ("np", "numpy", "math", "cv2")


def guard_line(edit: ScriptEdit, line: int, *, clamp: bool) -> bool:
    """Keeps all operations with an edge in the statement at a line off it; False where there are none.

    Args:
        clamp: whether values are held within bounds; else a small number is added to them.
    """
    statement = edit.statement(line)
    found = False
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    for _, call in edit.every(cst.Call):
        if statement in edit.above(call):
            found |= _guard_call(edit, call, clamp=clamp)
    for _, node in edit.every(cst.BinaryOperation):
        if statement in edit.above(node):
            found |= _guard_operator(edit, node, clamp=clamp)
    for _, assignment in edit.every(cst.AugAssign):
        if statement in edit.above(assignment) and isinstance(assignment.operator, cst.DivideAssign):
            found |= _guard_divisor(edit, assignment.value)
    return found


def use_combined(edit: ScriptEdit, line: int) -> None:
    """`torch.log(F.softmax(x, 1))` becomes `F.log_softmax(x, 1)`, `torch.log(torch.exp(x).sum(1))` becomes `torch.logsumexp(x, 1)`.

    Raises:
        CannotEditError: no such pair stands there.
    """
    statement = edit.statement(line)
    for _, call in edit.every(cst.Call):
        name, given = last_name(call.func), _given(call)
        if statement not in edit.above(call) or not isinstance(given, cst.Call) or name != "log":
            continue
        inner = last_name(given.func)
        new = COMBINED.get((name, inner))
        value = _given(given)
        rest = given.args[1:] if _is_function(edit, given) else given.args
        if new is not None and value is not None:
            extra = "".join(f", {edit.code(a).rstrip(', ')}" for a in rest) if inner == "softmax" else ""
            edit.replace(call, f"{functional(edit, new)}({edit.code(value)}{extra})")
            return
        summed = value if inner == "sum" else None
        if isinstance(summed, cst.Call) and last_name(summed.func) == "exp" and rest:
            inside = _given(summed)
            if inside is not None:
                extra = ", ".join(edit.code(a).rstrip(", ") for a in rest)
                edit.replace(call, f"torch.logsumexp({edit.code(inside)}, {extra})")
                return
    raise CannotEditError("No such pair of functions stands there.")


def subtract_largest(edit: ScriptEdit, line: int) -> None:
    """`torch.exp(x)` that is divided by its own sum becomes `torch.exp(x - x.amax(-1, keepdim=True))`.

    Raises:
        CannotEditError: nothing there is divided by the sum of exponentials.
    """
    place = edit.original.splitlines()
    near = "\n".join(place[line - 1 : line + 3])
    summed = re.search(
        r"/\s*[\w.]*\(?[\w.]*\.sum\(\s*(?:dim\s*=\s*|axis\s*=\s*)?(-?\d+)|/\s*torch\.sum\(\s*\w+,\s*(?:dim\s*=\s*)?(-?\d+)",
        near,
    )
    for call in edit.calls(line, "exp"):
        given = _given(call)
        if summed and given is not None:
            code = edit.code(given)
            inner = code if isinstance(given, ATOMS) else f"({code})"
            text = f"{inner} - {inner}.amax({summed[1] or summed[2]}, keepdim=True)"
            edit.replace(given, text if _is_function(edit, call) else f"({text})")
            return
    raise CannotEditError("No exponential that its sum divides stands there.")


def _is_function(edit: ScriptEdit, call: cst.Call) -> bool:
    """Whether it is a function of a library, `torch.log(x)`, rather than a method, `x.log()`."""
    if not isinstance(call.func, cst.Attribute):
        return True
    owner = edit.code(call.func.value)
    return owner in ("torch", "F", "nn", *LIBRARIES) or owner.endswith(("functional", "special", "linalg"))


def _given(call: cst.Call) -> cst.BaseExpression | None:
    """What is taken the logarithm of: the first argument of a function, else what the method is called on."""
    if isinstance(call.func, cst.Attribute):
        owner = call.func.value
        if isinstance(owner, cst.Name) and owner.value in ("torch", "F"):
            return call.args[0].value if call.args else None
        if isinstance(owner, cst.Attribute) and owner.attr.value in ("functional", "special"):
            return call.args[0].value if call.args else None
        return owner
    return call.args[0].value if call.args else None


def _guard_call(edit: ScriptEdit, call: cst.Call, *, clamp: bool) -> bool:
    name, given = last_name(call.func), _given(call)
    owner = edit.code(call.func.value) if isinstance(call.func, cst.Attribute) else ""
    if name not in (*CLAMPS, "reciprocal", "div") or given is None or owner in LIBRARIES:
        return False
    if GUARDED.search(edit.code(given)) or isinstance(given, (cst.Integer, cst.Float)):
        return False
    if name == "pow" and not _is_fraction(call.args[-1].value):
        return False
    if name == "div":
        return _guard_divisor(edit, call.args[-1].value)
    if (clamp or name not in ADDED) and name in CLAMPS:
        form = f"{{}}.clamp({CLAMPS[name]})"
        edit.wrap(given, form if isinstance(given, ATOMS) or given.lpar else f"({{}}).clamp({CLAMPS[name]})")
    else:
        small = SMALLEST if "log" in name else SMALL
        if given.lpar and not _is_function(edit, call):  # `(x ** 2).sqrt()`: the sum stands in the same brackets
            edit.change(given, lambda now: cst.parse_expression(f"({_inside(edit, now)} + {small})"))
        else:
            edit.wrap(given, f"{{}} + {small}" if _is_function(edit, call) or given.lpar else f"({{}} + {small})")
    return True


def _inside(edit: ScriptEdit, node: cst.BaseExpression) -> str:
    """An expression without its outer brackets, where a sum may follow it without them."""
    alone = isinstance(node, (*ATOMS, cst.BinaryOperation)) and len(node.lpar) == 1
    return edit.code(node.with_changes(lpar=[], rpar=[]) if alone else node)


def _guard_operator(edit: ScriptEdit, node: cst.BinaryOperation, *, clamp: bool) -> bool:
    if isinstance(node.operator, cst.Divide):
        return _guard_divisor(edit, node.right)
    if isinstance(node.operator, cst.Power) and _is_fraction(node.right) and not GUARDED.search(edit.code(node.left)):
        atom = isinstance(node.left, ATOMS) or bool(node.left.lpar)
        if clamp:
            edit.wrap(node.left, f"{{}}.clamp(min={SMALL})" if atom else f"({{}}).clamp(min={SMALL})")
        else:
            edit.wrap(node.left, f"({{}} + {SMALL})")
        return True
    return False


def _guard_divisor(edit: ScriptEdit, divisor: cst.BaseExpression) -> bool:
    """A small number is added to what is divided by, unless that is a plain number, a size or guarded."""
    text = edit.code(divisor)
    plain = isinstance(divisor, (cst.Integer, cst.Float)) or re.fullmatch(r"[A-Z_0-9]+", text) is not None
    sizes = re.search(r"^len\(|\.shape\[|\.size\(|\.numel\(\)|^math\.|^np\.", text)
    if plain or sizes or GUARDED.search(text):
        return False
    edit.wrap(divisor, f"({{}} + {SMALL})")
    return True


def _is_fraction(power: cst.BaseExpression) -> bool:
    """Whether a power has an infinite slope at 0, or none below: 0.5, -1, 1 / 3."""
    text = cst.Module([]).code_for_node(power).strip("() ")
    parts = [float(part) for part in re.findall(r"-?\s*\d*\.?\d+", text.replace(" ", ""))]
    if not re.fullmatch(r"-?[\d.]+(/-?[\d.]+)?", text.replace(" ", "")) or 0 in parts[1:]:
        return False
    value = parts[0] / parts[1] if len(parts) == 2 else parts[0]
    return value < 1 or value != int(value)
