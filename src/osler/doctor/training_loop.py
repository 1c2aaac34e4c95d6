"""Where in the script the training loop stands: the loop over epochs, and the line that says how many of them there are."""

import ast
from collections import Counter
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.script_reading import ScriptReading, dotted
from osler.vitals.evidence import Site

DEPTH = 5  # functions that are followed outwards


def backward_line(case: Case) -> int | None:
    """The line of the script at which most gradients were computed, or most updates made."""
    lines: Counter[int] = Counter()
    for backward in case.evidence.backwards:
        if backward.site is not None:
            lines[backward.site.line] += backward.calls
    for optimizer in case.evidence.optimizers if not lines else ():
        for site, count in optimizer.step_sites.items():
            lines[site.line] += count
    return lines.most_common(1)[0][0] if lines else None


def epoch_loop(case: Case) -> ast.For | ast.While | None:
    """The outermost loop around the line at which gradients are computed, through the functions that call it."""
    line = backward_line(case)
    return next(reversed(list(_loops_around(case.script, line, DEPTH))), None) if line is not None else None


def loop_line(case: Case) -> int | None:
    """The line of that loop."""
    loop = epoch_loop(case)
    return loop.lineno if loop is not None else None


def epochs_line(case: Case) -> int | None:
    """The line that says how long training lasts: of the number that the outermost loop counts to, else of the loop."""
    loop = epoch_loop(case)
    if loop is None:
        return None
    bound = _bound(loop)
    return (_defined(case.script, bound, loop.lineno, DEPTH) if bound is not None else None) or loop.lineno


def enclosing_function(script: ScriptReading, line: int) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The innermost function of the script that holds a line."""
    holding = [f for f in script.functions().values() if f.lineno <= line <= (f.end_lineno or f.lineno)]
    return max(holding, key=lambda f: f.lineno, default=None)


def evaluation_line(script: ScriptReading, site: Site) -> int:
    """Where a line such as `model.eval()` belongs for the call at `site`: the top of its function, or its `with no_grad`."""
    tops = [
        node.lineno
        for node in ast.walk(script.tree)
        if isinstance(node, ast.With)
        and node.lineno <= site.line <= (node.end_lineno or node.lineno)
        and any("no_grad" in dotted(i.context_expr) or "inference_mode" in dotted(i.context_expr) for i in node.items)
    ]
    function = enclosing_function(script, site.line)
    if function is None:
        return max(tops, default=site.line)
    first = function.lineno + 1
    near = [line for line in tops if line >= function.lineno]
    return first if site.line - first <= 4 or not near else (first if min(near) - first <= 2 else min(near))


# ---- inside


def _loops_around(script: ScriptReading, line: int, depth: int) -> Iterator[ast.For | ast.While]:
    """The loops that hold a line, innermost first, then those that hold the calls of its function."""
    function = enclosing_function(script, line)
    begin = function.lineno if function is not None else 0
    loops = [
        node
        for node in ast.walk(script.tree)
        if isinstance(node, (ast.For, ast.While)) and begin <= node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    yield from sorted(loops, key=lambda node: -node.lineno)
    if function is None or depth == 0:
        return
    calls = [c for c in script.calls_of(function.name) if not begin <= c.line <= (function.end_lineno or begin)]
    if calls:
        yield from _loops_around(script, calls[0].line, depth - 1)


def _bound(loop: ast.For | ast.While) -> ast.expr | None:
    """What a loop counts to: the N of `range(N)`, `range(1, N + 1)`, `while step < N`."""
    if isinstance(loop, ast.While):
        return loop.test.comparators[0] if isinstance(loop.test, ast.Compare) else None
    counted = loop.iter
    while isinstance(counted, ast.Call) and counted.args:
        if dotted(counted.func).endswith("range"):
            return counted.args[min(1, len(counted.args) - 1)]
        counted = counted.args[0]
    return None


def _defined(script: ScriptReading, value: ast.expr, before: int, depth: int) -> int | None:
    """The line at which a number gets its value."""
    names = [dotted(n) for n in ast.walk(value) if isinstance(n, (ast.Name, ast.Attribute)) and dotted(n)]
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        return _mentioned(script, str(value.slice.value), before)
    if not names or depth == 0:
        return None
    name = names[0]
    function = enclosing_function(script, before)
    if function is not None and name in [a.arg for a in _parameters(function)]:
        return _argument(script, function, name, depth)
    assigned = [a for a in script.assignments if name in a.names and a.line <= before]
    if assigned:
        nearest = assigned[-1]
        return _defined(script, nearest.value, nearest.line, depth - 1) or nearest.line
    return _mentioned(script, name.rpartition(".")[2], before)


def _argument(
    script: ScriptReading, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str, depth: int
) -> int | None:
    """Where a function's parameter gets its value: at the call that gives it, else at its default."""
    places = [a.arg for a in _parameters(function) if a.arg != "self"]
    for call in script.calls_of(function.name):
        given = call.keyword(name)
        place = places.index(name)
        if given is None and place < len(call.node.args):
            given = call.node.args[place]
        if given is not None:
            return _defined(script, given, call.line, depth - 1) or call.line
    return function.lineno


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _mentioned(script: ScriptReading, name: str, before: int) -> int | None:
    """The line of an option, a key or a class attribute of that name: `--epochs`, `'epochs': 5`, `epochs = 5`, `self.epochs`."""
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            option = str(node.args[0].value).lstrip("-").replace("-", "_")
            if option == name:
                return node.lineno
        if isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and key.value == name:
                    return key.lineno
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == name:
                    return keyword.value.lineno
    found = [
        a.line for a in script.assignments if any(n.rpartition(".")[2] == name for n in a.names) and a.line != before
    ]
    return found[0] if found else None
