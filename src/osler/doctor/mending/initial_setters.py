"""The lines of a program that set first weights: by an initialiser, in place, by an assignment, or where they are made."""

import ast
import re
from dataclasses import dataclass
from typing import Literal

from osler.doctor.case import Case
from osler.doctor.script_reading import dotted
from osler.vitals.evidence import ModelSeen, ParameterSeen

Way = Literal["constant", "random", "scaled", "made"]
CONSTANT = ("constant_", "zeros_", "ones_", "eye_", "dirac_", "fill_", "zero_")
RANDOM = (
    "normal_", "uniform_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_normal_", "kaiming_uniform_",
    "orthogonal_", "sparse_", "copy_",
)  # fmt: skip
SCALED = ("mul_", "div_", "multiply_", "divide_", "add_", "sub_")
MAKERS = ("zeros", "ones", "full", "randn", "rand", "normal", "tensor", "zeros_like", "ones_like", "full_like")
LIKE = {"zeros_like": "empty_like", "ones_like": "empty_like", "full_like": "empty_like"}
SQUASHING = frozenset(
    {"Tanh", "tanh", "Sigmoid", "sigmoid", "Softsign", "RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"}
)


@dataclass(frozen=True)
class Setter:
    """A call or statement that sets first weights or biases."""

    node: ast.expr | ast.stmt
    target: ast.expr  # what is set, without `.data` and `[:]`
    way: Way
    function: str

    @property
    def line(self) -> int:
        """The line at which it begins."""
        return self.node.lineno

    @property
    def name(self) -> str:
        """What is set, as written: `self.fc.weight`, `p`."""
        return dotted(self.target)


def setters(case: Case) -> list[Setter]:
    """All that sets first weights, in the order of lines."""
    found: list[Setter] = []
    scopes = [*case.script.functions().items(), ("", case.script.tree)]
    done: set[int] = set()
    for function, scope in scopes:
        for node in ast.walk(scope):
            setter = None if id(node) in done else _read(node, function)
            if setter is not None:
                done.add(id(node))
                found.append(setter)
    inner = {id(n) for s in found if s.way == "made" for n in ast.walk(s.node) if n is not s.node}
    return sorted((s for s in found if id(s.node) not in inner), key=lambda s: s.line)


def _read(node: ast.AST, function: str) -> Setter | None:
    if isinstance(node, ast.Call):
        return _of_call(node, function)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Mult, ast.Div, ast.Add, ast.Sub)):
        target = _bare(node.target)
        held = target is not node.target or "weight" in dotted(node.target) or "bias" in dotted(node.target)
        return Setter(node, target, "scaled", function) if held and dotted(target) else None
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return _of_assignment(node, target, node.value, function)
    return None


def _of_call(node: ast.Call, function: str) -> Setter | None:
    name = dotted(node.func)
    last, owner = name.rpartition(".")[2], name.rpartition(".")[0]
    way: Way | None = "constant" if last in CONSTANT else "random" if last in RANDOM else None
    if way is not None and (not owner or owner.rpartition(".")[2] == "init" or owner.lower().endswith("init")):
        given = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "tensor"), None)
        return Setter(node, _bare(given), way, function) if given is not None and dotted(given) else None
    way = way or ("scaled" if last in SCALED else None)
    if way is None or not isinstance(node.func, ast.Attribute):
        return None
    target = _bare(node.func.value)
    return Setter(node, target, way, function) if dotted(target) and ".grad" not in dotted(target) else None


def _of_assignment(statement: ast.stmt, target: ast.expr, value: ast.expr, function: str) -> Setter | None:
    bare = _bare(target)
    held = isinstance(target, ast.Attribute) and re.search(r"weight|bias", target.attr) is not None
    made = next((n for n in ast.walk(value) if isinstance(n, ast.Call) and _makes_parameter(n)), None)
    if made is not None:
        return Setter(made, bare, "made", function) if dotted(bare) else None
    if isinstance(value, (ast.Name, ast.Attribute)) and isinstance(target, ast.Attribute) and target.attr != "data":
        return None  # tied to another one
    constant = isinstance(value, ast.Constant) or any(w in ast.unparse(value) for w in ("zeros", "ones", "full"))
    if dotted(bare) and ((bare is not target and "data" in ast.unparse(target)) or (held and "init" not in function)):
        return Setter(statement, bare, "constant" if constant else "random", function)
    return None


def _makes_parameter(call: ast.Call) -> bool:
    """`nn.Parameter(values)`, `torch.zeros(a, b, requires_grad=True)`."""
    last = dotted(call.func).rpartition(".")[2]
    grad = any(k.arg == "requires_grad" and ast.unparse(k.value) == "True" for k in call.keywords)
    return (last == "Parameter" and bool(call.args)) or (last in MAKERS and grad)


def _bare(target: ast.expr) -> ast.expr:
    """`p` of `p.data`, `p.data[:]`, `p.detach()`."""
    while True:
        if isinstance(target, ast.Attribute) and target.attr == "data":
            target = target.value
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, (ast.Slice, ast.Constant)):
            if isinstance(target.slice, ast.Constant) and target.slice.value is not Ellipsis:
                return target
            target = target.value
        elif isinstance(target, ast.Call) and dotted(target.func).endswith(".detach"):
            target = target.func.value  # type: ignore[attr-defined]
        else:
            return target


# ---- what a setter sets


def set_by(case: Case, model: ModelSeen, setter: Setter) -> list[ParameterSeen]:
    """The parameters that a setter may set: by its name, all where it is a loop's variable."""
    parts = [p for p in re.split(r"[.\[\]()]+", setter.name) if p not in ("", "self", model.name)]
    if not parts:
        return []
    last = parts[-1]
    if last in ("weight", "bias"):
        holder = parts[-2] if len(parts) > 1 else ""
        named = [p for n, p in model.parameters.items() if n.endswith(f".{last}") and holder in n.split(".")[:-1]]
        return named or [p for n, p in model.parameters.items() if n.rpartition(".")[2] == last]
    named = [p for n, p in model.parameters.items() if n.rpartition(".")[2] == last]
    return named or list(model.parameters.values())


def sets_bias(setter: Setter) -> bool:
    """Whether it sets a bias."""
    return (
        "bias" in setter.name.rpartition(".")[2]
        or re.fullmatch(r"b\d*|.*_b\d*", setter.name.rpartition(".")[2]) is not None
    )


def conditions(case: Case, setter: Setter) -> str:
    """The conditions under which a setter runs, as text."""
    text = ""
    for scope in [*case.script.functions().values(), case.script.tree]:
        for node in ast.walk(scope):
            inside = isinstance(node, ast.If) and any(n is setter.node for s in node.body for n in ast.walk(s))
            ternary = isinstance(node, ast.IfExp) and any(n is setter.node for n in ast.walk(node.body))
            if inside or ternary:
                text += ast.unparse(node.test) + " "  # type: ignore[attr-defined]
    return text


def not_for_weights(case: Case, setter: Setter) -> bool:
    """Whether a condition leaves it to biases: `if "bias" in name`, or the `else` of `if "weight" in name`."""
    for scope in [*case.script.functions().values(), case.script.tree]:
        for node in ast.walk(scope):
            if not isinstance(node, ast.If):
                continue
            text = ast.unparse(node.test)
            if any(n is setter.node for s in node.body for n in ast.walk(s)):
                if "bias" in text and "weight" not in text and " not in " not in text:
                    return True
            elif any(n is setter.node for s in node.orelse for n in ast.walk(s)) and not isinstance(
                node.orelse[0], ast.If
            ):
                named = ("weight" in text and "bias" not in text) or re.search(r"dim\(\)|ndim|len\(.*shape", text)
                if named and " not in " not in text:
                    return True
    return False


def concerns_norms(case: Case, setter: Setter) -> bool:
    """Whether a condition or a name says that it sets norm layers or tables alone."""
    tests = conditions(case, setter)
    kinds = re.findall(r"\b(?:nn\.)?([A-Z]\w+)", tests)
    special = [k for k in kinds if "Norm" in k or "Embedding" in k]
    return bool(special) and len(special) == len(kinds)
