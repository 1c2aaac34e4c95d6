"""Lines of a script with an operation that has an edge: the square root, the logarithm, a division, a norm.

Those that were seen at their edge come first; then those that the graph of the loss runs through; then what the script says.
"""

import ast
from dataclasses import dataclass

from osler.doctor.case import Case
from osler.doctor.script_reading import dotted
from osler.vitals.evidence import Edge

VALUE = {
    "log": 1,
    "log2": 1,
    "log10": 1,
    "log1p": 1,
    "div": 1,
    "reciprocal": 1,
    "rsqrt": 1,
    "exp": 1,
    "acos": 2,
    "asin": 2,
    "atanh": 1,
}
SLOPE = {"sqrt": 1, "pow": 2, "acos": 2, "asin": 2}
AT = {
    "sqrt": "0, where its slope is infinite",
    "pow": "0, where its slope is infinite",
    "log": "0 or less",
    "log2": "0 or less",
    "log10": "0 or less",
    "log1p": "-1 or less",
    "div": "a divisor of 0",
    "reciprocal": "0",
    "rsqrt": "0 or less",
    "acos": "1 or -1, where its slope is infinite",
    "asin": "1 or -1, where its slope is infinite",
    "atanh": "1 or -1",
    "exp": "more than a float holds",
}
CHANGES = {
    "sqrt": "Add a small number inside of the square root at line {line}: (x + 1e-8).sqrt().",
    "log": "Keep what line {line} takes the logarithm of above 0, by clamp(min=1e-7), or use log_softmax or logsigmoid.",
    "div": "Add a small number to the divisor at line {line}, or clamp it.",
    "exp": "Subtract the largest value before the exponential at line {line}, or use softmax or logsumexp.",
}
OF_GRAPH = {"Sqrt": "sqrt", "Log": "log", "Div": "div", "Pow": "pow", "Acos": "acos", "Asin": "asin",
            "Rsqrt": "rsqrt", "Reciprocal": "reciprocal", "Log2": "log2", "Exp": "exp"}  # fmt: skip
CALLS = ("sqrt", "log", "norm", "acos", "asin", "rsqrt", "reciprocal", "log2", "log10", "atanh", "pow", "exp")
DIVISORS = ("sum", "std", "norm", "max", "abs")
GUARDS = ("eps", "1e-", "clamp", "clip", "tiny", "nan_to_num", "max(", "maximum(")


@dataclass(frozen=True, slots=True)
class Suspect:
    """An operation that may have made the first bad value."""

    line: int
    told: str
    seen: bool  # at its edge
    proven: bool  # it made a bad value of finite ones
    change: str | None


def edge_at(case: Case) -> Suspect | None:
    """The likeliest operation; None where the script has none."""
    edges = case.evidence.edges
    proven = sorted((e for e in edges if e.made_bad), key=lambda e: e.first_bad or 0)
    if proven:
        return _proven(proven[0])
    seen = sorted(
        (e for e in edges if e.at_edge),
        key=lambda e: (e.operation not in SLOPE, SLOPE.get(e.operation, 9), -e.at_edge / max(1, e.values)),
    )
    if seen:
        return _seen(seen[0])
    return _of_graph(case) or _of_script(case)


def _proven(edge: Edge) -> Suspect:
    where = f" ({AT[edge.operation]})" if edge.operation in AT else ""
    told = f"{edge.operation} at line {edge.site.line} makes NaN or infinity of finite numbers{where}"
    told += f", first at update {edge.first_bad}"
    return Suspect(edge.site.line, told, True, True, _change(edge.operation, edge.site.line))


def _seen(edge: Edge) -> Suspect:
    told = f"{edge.operation} at line {edge.site.line} meets {AT.get(edge.operation, 'its edge')}, "
    told += f"in {edge.at_edge:,} of {edge.values:,} values looked at"
    return Suspect(edge.site.line, told, True, False, _change(edge.operation, edge.site.line))


def _of_graph(case: Case) -> Suspect | None:
    """Operations of the graph with a line that nothing guards."""
    found = []
    for backward in case.evidence.backwards:
        for node in backward.graph:
            name = OF_GRAPH.get(node.operation.partition("Backward")[0])
            if name is not None and node.site is not None and name != "div" and not _is_guarded(case, node.site.line):
                found.append((SLOPE.get(name, VALUE.get(name, 5)), node.site.line, name))
    return _told(*min(found)[1:], "is on the way to the loss, and nothing keeps it off its edge") if found else None


def _of_script(case: Case) -> Suspect | None:
    """Calls of the script in functions that run in training."""
    found = []
    for call in case.script.calls_of(*CALLS):
        library = call.name.partition(".")[0] in ("np", "numpy", "math", "plt", "pd", "logging", "logger", "wandb")
        runs = bool(call.function or call.loop) and call.function.rpartition(".")[2] != "__init__"
        if runs and not library and not _is_guarded(case, call.line):
            found.append((SLOPE.get(call.last, VALUE.get(call.last, 5)), call.line, call.last))
    if found:
        return _told(*min(found)[1:], "has an edge that nothing keeps it off")
    for node in ast.walk(case.script.tree):
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Call)):
            continue
        if _last(node.right.func) in DIVISORS and not _is_guarded(case, node.lineno):
            return _told(node.lineno, "div", "may divide by 0")
    return None


def _last(function: ast.expr) -> str:
    return dotted(function).rpartition(".")[2]


def _told(line: int, name: str, why: str) -> Suspect:
    return Suspect(line, f"{name} at line {line} {why}", False, False, _change(name, line))


def _is_guarded(case: Case, line: int) -> bool:
    return any(word in case.script.lines[line - 1] for word in GUARDS) if 0 < line <= len(case.script.lines) else True


def _change(operation: str, line: int) -> str | None:
    text = CHANGES.get({"log2": "log", "log10": "log", "rsqrt": "sqrt", "reciprocal": "div"}.get(operation, operation))
    return text.format(line=line) if text else None
