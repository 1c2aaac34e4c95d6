"""Numbers of a program changed where they are written: at the call itself, or at the constant, default or key behind it."""

import ast
import math

from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, with_argument
from osler.doctor.script_reading import CallRead, ScriptReading, dotted
from osler.doctor.settings import argument, call_at
from osler.vitals.evidence import Site

DEEPEST = 6
CONVERTING = ("float", "int")


def third(value: float) -> str:
    """A rate rounded to 1 or 3 times a power of ten, as text.

    >>> third(0.0042)
    '0.003'
    """
    power = math.floor(math.log10(value))
    steps = (10.0**power, 3 * 10.0**power, 10.0 ** (power + 1))
    return f"{min(steps, key=lambda s: abs(math.log(s / value))):g}"


def set_setting(
    edit: ScriptEdit,
    script: ScriptReading,
    site: Site | None,
    names: tuple[str, ...],
    name: str,
    place: int | None,
    text: str,
) -> None:
    """Gives the argument of the call at `site` another value, where its number is written; adds it where it is not given.

    Raises:
        CannotEditError: no such call is there.
    """
    call, value = setting(script, site, names, name, place)
    if value is None:
        edit.change(edit.at(call.node), lambda node: with_argument(node, name, text))
        return
    set_number(edit, script, value, call.function, text)


def setting(
    script: ScriptReading, site: Site | None, names: tuple[str, ...], name: str, place: int | None
) -> tuple[CallRead, ast.expr | None]:
    """The call at a line and what it is given for an argument, as written there.

    Raises:
        CannotEditError: no such call is there.
    """
    call = call_at(script, site, *names) or _that_takes(script, site, name)
    if call is None:
        raise CannotEditError(f"No call that takes {name} stands at line {site.line if site else '?'}.")
    value = argument(call, name, place)
    if value is None and any(k.arg is None for k in call.node.keywords):
        value = _key(script, name)
    return call, value


def _that_takes(script: ScriptReading, site: Site | None, name: str) -> CallRead | None:
    if site is None:
        return None
    there = [c for c in script.calls if c.line <= site.line <= (c.node.end_lineno or c.line)]
    return next((c for c in reversed(there) if c.keyword(name) is not None), None)


def set_number(edit: ScriptEdit, script: ScriptReading, value: ast.expr, function: str, text: str) -> None:
    """Puts another number in the place of the one behind an expression of `function`."""
    edit.replace(edit.at(written(script, value, function)), text)


def number(script: ScriptReading, value: ast.expr | None, function: str) -> float | None:
    """The number behind an expression; None where it is no plain one."""
    if value is None:
        return None
    try:
        found = ast.literal_eval(written(script, value, function))
    except (ValueError, TypeError, SyntaxError):
        return None
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def written(script: ScriptReading, value: ast.expr, function: str, depth: int = DEEPEST) -> ast.expr:
    """The expression in which the number behind another one is written: itself where it is no name."""
    behind: ast.expr | None = None
    if depth and isinstance(value, ast.Name):
        behind, function = _of_name(script, value, function)
    elif depth and isinstance(value, ast.Attribute):
        behind, function = _of_attribute(script, value, function)
    elif depth and isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        behind = _key(script, str(value.slice.value))
    elif depth and isinstance(value, ast.Call) and dotted(value.func) in CONVERTING and len(value.args) == 1:
        behind = value.args[0]
    elif depth and isinstance(value, ast.Call) and dotted(value.func).endswith(".get") and value.args:
        key = value.args[0]
        behind = _key(script, str(key.value)) if isinstance(key, ast.Constant) else None
        behind = behind or (value.args[1] if len(value.args) > 1 else None)
    return written(script, behind, function, depth - 1) if behind is not None and behind is not value else value


def _of_name(script: ScriptReading, name: ast.Name, function: str) -> tuple[ast.expr | None, str]:
    given = _of_parameter(script, name.id, function)
    if given is not None:
        return given
    assigned = [a for a in script.assignments if name.id in a.names and a.function in ("", function)]
    near = [a for a in assigned if a.line <= name.lineno and name not in ast.walk(a.value)] or assigned
    if not near:
        return None, function
    last = max(near, key=lambda a: (a.function == function, a.line))
    return _part(last.names, last.value, name.id), last.function


def _part(names: tuple[str, ...], value: ast.expr, name: str) -> ast.expr | None:
    """What `name` gets of an assignment to several names; None where it is one of a loop's or of a call's."""
    if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(names):
        return value.elts[names.index(name)]
    return value if len(set(names)) == 1 and not isinstance(value, (ast.Tuple, ast.List)) else None


def _of_parameter(script: ScriptReading, name: str, function: str) -> tuple[ast.expr, str] | None:
    """Of a parameter of the function: what a caller gives, else its default."""
    made = script.functions().get(function)
    if made is None:
        return None
    names = [a.arg for a in (*made.args.posonlyargs, *made.args.args)]
    if name not in names and name not in [a.arg for a in made.args.kwonlyargs]:
        return None
    method = ("." in function and names[:1] != [] and made.name == "__init__") or names[:1] == ["self"]
    place = names.index(name) - method if name in names else None
    callers = (function.rpartition(".")[0],) if made.name == "__init__" else (made.name,)
    for call in script.calls_of(*callers):
        value = argument(call, name, place)
        if value is not None:
            return value, call.function
    defaults = dict(zip(reversed(names), reversed(made.args.defaults), strict=False))
    defaults |= {a.arg: d for a, d in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True) if d is not None}
    return (defaults[name], "") if name in defaults else None


def _of_attribute(script: ScriptReading, value: ast.Attribute, function: str) -> tuple[ast.expr | None, str]:
    """Of `self.rate`, `config.rate`, `args.rate`: where an attribute of that name gets its value."""
    own = dotted(value)
    for assignment in script.assignments:
        same = own in assignment.names or (assignment.function == "" and value.attr in assignment.names)
        if same and value not in ast.walk(assignment.value):
            return _part(
                assignment.names, assignment.value, own if own in assignment.names else value.attr
            ), assignment.function
    return _key(script, value.attr), function


def _key(script: ScriptReading, key: str) -> ast.expr | None:
    """The value of a key: of a dict, of `dict(key=...)`, of a class's body, of a command-line option."""
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Dict):
            for k, v in zip(node.keys, node.values, strict=True):
                if isinstance(k, ast.Constant) and k.value == key:
                    return v
        elif isinstance(node, ast.ClassDef):
            found = _of_class(node, key)
            if found is not None:
                return found
        elif isinstance(node, ast.Call):
            found = _of_call(node, key)
            if found is not None:
                return found
        elif isinstance(node, ast.Assign) and any(dotted(t).rpartition(".")[2] == key for t in node.targets):
            return node.value
    return None


def _of_class(node: ast.ClassDef, key: str) -> ast.expr | None:
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and dotted(each.target) == key:
            return each.value
        if isinstance(each, ast.Assign) and any(dotted(t) == key for t in each.targets):
            return each.value
    return None


def _of_call(node: ast.Call, key: str) -> ast.expr | None:
    name = dotted(node.func).rpartition(".")[2]
    if name == "add_argument":
        flags = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if any(f.lstrip("-").replace("-", "_") == key for f in flags):
            return next((k.value for k in node.keywords if k.arg == "default"), None)
    plain = (
        name in ("dict", "SimpleNamespace", "Namespace")
        or (name[:1].isupper() and "onf" in name)
        or name in ("Args", "Params")
    )
    return next((k.value for k in node.keywords if k.arg == key), None) if plain else None
