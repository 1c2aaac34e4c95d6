"""The line of a script that sets the first weights of a layer."""

import ast

from osler.doctor.case import Case
from osler.doctor.script_reading import CallRead, dotted

RANDOM = (
    "normal_", "uniform_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_normal_", "kaiming_uniform_",
    "orthogonal_", "sparse_", "randn", "rand", "randn_like", "rand_like", "normal",
)  # fmt: skip
SCALING = ("mul_", "copy_", "div_")
CONSTANT = (
    "constant_",
    "zeros_",
    "ones_",
    "fill_",
    "zero_",
    "zeros",
    "ones",
    "full",
    "zeros_like",
    "ones_like",
    "full_like",
    "eye_",
    "dirac_",
)
NOT_WEIGHTS = ("bias", "grad", "running", "hidden", "state", "target", "label", "mask", "momentum", "norm")


def random_line(case: Case, layer: str) -> int | None:
    """The line that draws or scales the layer's weights; None where the script sets none."""
    return _line(case, layer, RANDOM) or _scaled_line(case, layer)


def constant_line(case: Case, layer: str) -> int | None:
    """The line that sets the layer's weights to a number."""
    return _line(case, layer, CONSTANT)


def bias_line(case: Case, layer: str) -> int | None:
    """The line that sets the layer's bias."""
    attribute = next((part for part in reversed(layer.split(".")) if not part.isdigit()), layer)
    calls = [c for c in case.script.calls_of(*CONSTANT, *RANDOM, *SCALING, "sub_", "add_") if "bias" in c.text()]
    named = [c for c in calls if attribute and attribute in c.text()]
    if named or calls:
        return (named or calls)[0].line
    assigned = [a.line for a in case.script.assignments if any("bias" in n for n in a.names)]
    return assigned[0] if assigned else None


def _line(case: Case, layer: str, names: tuple[str, ...]) -> int | None:
    calls = [c for c in case.script.calls_of(*names) if _sets_weights(case, c)]
    attribute = next((part for part in reversed(layer.split(".")) if not part.isdigit()), layer)
    named = [c for c in calls if attribute and attribute in c.text()]
    every = [c for c in calls if not _names_a_layer(c)]
    return next((c.line for c in (*named, *every, *calls)), None)


def _sets_weights(case: Case, call: CallRead) -> bool:
    """Whether a call sets weights: an initialiser or an in-place change of `.weight` or a parameter, or a value of nn.Parameter."""
    text = call.text()
    if any(word in text.lower() for word in NOT_WEIGHTS) and "weight" not in text.lower():
        return False
    if "bias" in text and "weight" not in text:
        return False
    statement = " ".join(case.script.lines[call.line - 1 : (call.node.end_lineno or call.line)])
    if call.last.endswith("_"):
        return (
            ".init." in call.name
            or call.name.startswith("init.")
            or "weight" in text
            or "data" in text
            or _of_parameter(call)
        )
    return "Parameter(" in statement or "weight" in statement or ".data" in statement or "copy_" in statement


def _of_parameter(call: CallRead) -> bool:
    """`p.fill_(0)`, `param.normal_()`, `w.uniform_()`."""
    owner = call.name.rpartition(".")[0].rpartition(".")[2]
    first = call.node.args[0] if call.node.args else None
    argument = dotted(first).rpartition(".")[2] if first is not None else ""
    return any(word in ("p", "param", "params", "parameter", "w", "weights", "m") for word in (owner, argument))


def _names_a_layer(call: CallRead) -> bool:
    """Whether a call names one layer as an attribute of self, `self.fc1.weight`."""
    return any(isinstance(n, ast.Attribute) and dotted(n).startswith("self.") for n in ast.walk(call.node))


def _scaled_line(case: Case, layer: str) -> int | None:
    """A line that multiplies weights in place."""
    found = _line(case, layer, SCALING)
    if found is not None:
        return found
    for node in ast.walk(case.script.tree):
        if not (isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Mult, ast.Div))):
            continue
        name = dotted(node.target)
        if "weight" in name or "data" in name or name in ("p", "param", "w"):
            return node.lineno
    return None
