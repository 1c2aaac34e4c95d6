"""Where a setting of a program gets its value: the line that a person would change, not the one that passes it on."""

import ast

from osler.doctor.script_reading import CallRead, ScriptReading, dotted
from osler.vitals.evidence import OptimizerSeen, Site

DEEPEST = 6


def call_at(script: ScriptReading, site: Site | None, *last_names: str) -> CallRead | None:
    """The call at a line, of one of these names where some are given; a call may stretch over several lines."""
    if site is None:
        return None
    there = [c for c in script.calls if c.line <= site.line <= (c.node.end_lineno or c.line)]
    named = [c for c in there if c.last in last_names] if last_names else there
    return min(named, key=lambda c: (c.node.end_lineno or c.line) - c.line) if named else None


def argument(call: CallRead, name: str, place: int | None = None) -> ast.expr | None:
    """The value of an argument, by name or by place."""
    by_name = call.keyword(name)
    if by_name is not None:
        return by_name
    given = call.node.args
    if place is None or place >= len(given) or any(isinstance(a, ast.Starred) for a in given[: place + 1]):
        return None
    return given[place]


def setting_line(script: ScriptReading, site: Site | None, name: str, place: int | None, *calls: str) -> int | None:
    """The line at which the argument of the call at `site` gets its number; the call's own where it is not found."""
    call = call_at(script, site, *calls)
    if call is None:
        return site.line if site is not None else None
    value = argument(call, name, place)
    if value is None:
        inside = _in_groups(call, name)
        if inside is None:
            return call.line
        value = inside
    return origin(script, value, call.function) or value.lineno


def rate_line(script: ScriptReading, optimizer: OptimizerSeen) -> int | None:
    """The line at which an optimizer's rate is written; of updates by hand that of the factor of the gradient."""
    if optimizer.site is not None:
        return setting_line(script, optimizer.site, "lr", 1, optimizer.kind)
    for node in ast.walk(script.tree):
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)) and ".grad" in ast.unparse(node.value):
            rates = [n for n in ast.walk(node.value) if isinstance(n, ast.Name) and _is_rate(n.id)]
            found = [origin(script, n, "") for n in rates]
            line = next((line for line in found if line is not None), None)
            if line is not None:
                return line
            if (isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Sub)) or "sub_(" in ast.unparse(node):
                return node.lineno
    return None


def _is_rate(name: str) -> bool:
    return name.lower() in ("lr", "eta", "alpha", "step_size", "rate") or "learning_rate" in name.lower()


def origin(script: ScriptReading, value: ast.expr, function: str, depth: int = DEEPEST) -> int | None:
    """The line where the number behind an expression is written; None where it comes from outside of the script."""
    if depth == 0:
        return None
    if isinstance(value, ast.Name):
        return _of_name(script, value.id, value.lineno, function, depth)
    if isinstance(value, ast.Attribute):
        return _of_key(script, value.attr)
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        return _of_key(script, str(value.slice.value))
    parts = [n for n in ast.walk(value) if isinstance(n, (ast.Name, ast.Attribute)) and n is not value]
    if not parts or any(isinstance(n, ast.Constant) for n in ast.walk(value)):
        return value.lineno
    found = [origin(script, p, function, depth - 1) for p in parts if isinstance(p, (ast.Name, ast.Attribute))]
    return next((line for line in found if line is not None), value.lineno)


def _of_name(script: ScriptReading, name: str, before: int, function: str, depth: int) -> int | None:
    given = _of_parameter(script, name, function, depth)
    if given is not None:
        return given
    assigned = [a for a in script.assignments if name in a.names and a.function in ("", function)]
    near = [a for a in assigned if a.line <= before] or assigned
    if not near:
        return None
    last = max(near, key=lambda a: (a.function == function, a.line))
    if isinstance(last.value, (ast.Name, ast.Attribute, ast.Subscript)):
        return origin(script, last.value, last.function, depth - 1) or last.line
    return last.line


def _of_parameter(script: ScriptReading, name: str, function: str, depth: int) -> int | None:
    """Of a parameter of the function: what a caller gives, else the default."""
    made = script.functions().get(function)
    if made is None:
        return None
    names = [a.arg for a in (*made.args.posonlyargs, *made.args.args)]
    if name not in names and name not in [a.arg for a in made.args.kwonlyargs]:
        return None
    place = names.index(name) - (1 if names[:1] == ["self"] else 0) if name in names else None
    for call in script.calls_of(made.name, function.rpartition(".")[0] or made.name):
        value = argument(call, name, place)
        if value is not None:
            return origin(script, value, call.function, depth - 1) or value.lineno
    defaults = dict(zip(reversed(names), reversed(made.args.defaults), strict=False))
    defaults |= {a.arg: d for a, d in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True) if d is not None}
    return defaults[name].lineno if name in defaults else made.lineno


def _of_key(script: ScriptReading, key: str) -> int | None:
    """Of `config.key`, `config["key"]` or `--key`: where such a key is given a value."""
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Dict):
            for k, v in zip(node.keys, node.values, strict=True):
                if isinstance(k, ast.Constant) and k.value == key:
                    return v.lineno
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(dotted(t).rpartition(".")[2] == key for t in targets):
                return node.lineno
        elif isinstance(node, ast.Call):
            line = _key_in_call(node, key)
            if line is not None:
                return line
    return None


def _key_in_call(node: ast.Call, key: str) -> int | None:
    if dotted(node.func).endswith("add_argument"):
        flags = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return node.lineno if any(f.lstrip("-").replace("-", "_") == key for f in flags) else None
    plain = dotted(node.func).rpartition(".")[2] in ("dict", "SimpleNamespace", "Namespace", "Config", "Args")
    return next((k.value.lineno for k in node.keywords if k.arg == key), None) if plain else None


def _in_groups(call: CallRead, name: str) -> ast.expr | None:
    """A setting inside of parameter groups: `[{"params": ..., "lr": 0.1}]`."""
    for node in ast.walk(call.node):
        if isinstance(node, ast.Dict):
            for k, v in zip(node.keys, node.values, strict=True):
                if isinstance(k, ast.Constant) and k.value == name:
                    return v
        elif isinstance(node, ast.Call) and node is not call.node and dotted(node.func) == "dict":
            inner = next((k.value for k in node.keywords if k.arg == name), None)
            if inner is not None:
                return inner
    return None
