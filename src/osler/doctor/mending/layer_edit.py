"""Layers of a network in the text of a program: where one is made and called, and what is put before, behind or in its place."""

import ast
import re

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name
from osler.vitals.evidence import LayerSeen, ModelSeen

HOLDERS = ("Sequential",)
FUNCTIONS = {"ReLU": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}


def model_with(case: Case, layer: str) -> tuple[ModelSeen, LayerSeen]:
    """The layer of that name, and its network.

    Raises:
        CannotEditError: no network has one.
    """
    for model in (*case.evidence.trained_models, *case.evidence.models):
        if layer in model.layers:
            return model, model.layers[layer]
    raise CannotEditError(f"There is no layer {layer}.")


def made(edit: ScriptEdit, case: Case, layer: str) -> cst.Call:
    """The call that makes a layer. Several layers may be made by one call, as in a loop: see `is_shared`.

    Raises:
        CannotEditError: it is not found, or not told from others on its line.
    """
    model, seen = model_with(case, layer)
    if seen.site is None:
        raise CannotEditError(f"It is not known where {layer} is made.")
    calls = edit.calls(seen.site.line, seen.kind)
    names = _made_there(model, seen)
    if len(calls) == len(names):
        return calls[names.index(layer)]
    if len(calls) == 1:
        return calls[0]
    if not calls:
        raise CannotEditError(f"{layer} is not made at line {seen.site.line}.")
    fitting = [c for c in calls if _fits(edit, c, seen)]
    if len(fitting) == 1:
        return fitting[0]
    raise CannotEditError(f"Several layers like {layer} are made at line {seen.site.line}.")


def is_shared(case: Case, layer: str) -> bool:
    """Whether one call makes several layers."""
    model, seen = model_with(case, layer)
    names = _made_there(model, seen)
    if seen.site is None:
        return True
    line = case.script.lines[seen.site.line - 1] if seen.site.line <= len(case.script.lines) else ""
    return len(names) > max(1, len(re.findall(rf"\b{re.escape(seen.kind)}\(", line)))


def _made_there(model: ModelSeen, seen: LayerSeen) -> list[str]:
    """The layers of one kind that are made at one line, in the order of the network."""
    return [n for n, x in model.layers.items() if x.kind == seen.kind and x.site == seen.site and not n.endswith(")")]


def _fits(edit: ScriptEdit, call: cst.Call, seen: LayerSeen) -> bool:
    """Whether the plain numbers that a call is given are the layer's."""
    given = [edit.code(a.value) for a in call.args if a.keyword is None][:2]
    names = ("in_features", "out_features") if seen.kind == "Linear" else ("in_channels", "out_channels")
    known = [str(seen.options.get(n)) for n in names if n in seen.options]
    return all(not g.isdigit() or g == k for g, k in zip(given, known, strict=False))


def called(edit: ScriptEdit, layer: str) -> list[cst.Call]:
    """The calls of a layer by its attribute, `self.fc1(x)` or `self.blocks[2](x)`, outside of constructors."""
    holder, _, attribute = layer.rpartition(".")
    indexed = f"{holder.rpartition('.')[2]}[{attribute}]"
    found = []
    for line, call in _calls(edit):
        function = call.func
        holder_of = function.value if isinstance(function, cst.Attribute) and function.attr.value == attribute else None
        by_place = isinstance(function, cst.Subscript) and edit.code(function).endswith(indexed)
        if by_place or isinstance(holder_of, cst.Name):
            found.append((line, call))
    return [call for _, call in found if call.args]


def _calls(edit: ScriptEdit) -> list[tuple[int, cst.Call]]:
    return edit.every(cst.Call)


# ---- names of torch as the program has them


def module(edit: ScriptEdit, like: cst.Call | None, code: str) -> str:
    """`ReLU()` with torch's prefix, as another module of the program has it."""
    if like is not None and isinstance(like.func, cst.Attribute):
        return f"{edit.code(like.func.value)}.{code}"
    if re.search(r"^\s*(import torch\.nn as nn|from torch import .*\bnn\b)", edit.original, re.MULTILINE):
        return f"nn.{code}"
    if like is not None:
        edit.add_import(f"from torch.nn import {code.partition('(')[0]}")
        return code
    return f"torch.nn.{code}"


def function(edit: ScriptEdit, name: str) -> str:
    """`relu` with torch's prefix, as the program has its functions."""
    alias = re.search(r"import torch\.nn\.functional as (\w+)|from torch\.nn import functional as (\w+)", edit.original)
    if alias and re.search(rf"\b{alias[1] or alias[2]}\.{name}\(", edit.original):
        return f"{alias[1] or alias[2]}.{name}"
    if re.search(r"^\s*(import torch\b(?!\.)|import .*\btorch\b(?!\.))", edit.original, re.MULTILINE):
        return f"torch.{name}"
    if alias:
        return f"{alias[1] or alias[2]}.{name}"
    edit.add_import("import torch")
    return f"torch.{name}"


# ---- changes


def put_behind(edit: ScriptEdit, case: Case, layer: str, code: str, name: str | None = None) -> None:
    """Puts a module behind a layer: into its Sequential or list, else as a function around its calls, else around its making.

    Args:
        code: the module, `ReLU()`.
        name: the function that does the same; None where there is none.

    Raises:
        CannotEditError: the layer is not found.
    """
    if "." in layer or layer.isdigit():
        call = made(edit, case, layer)
        if _in_chain(edit, call):
            edit.insert_item(call, module(edit, call, code))
            return
        if _appended(edit, call):
            holder = edit.parent(edit.parent(call) or call)
            if isinstance(holder, cst.Call) and isinstance(holder.func, cst.Attribute):
                edit.insert_after(edit.line_of(holder), f"{edit.code(holder.func)}({module(edit, call, code)})")
                return
    calls = called(edit, layer)
    if calls and name is not None:
        for each in calls:
            edit.wrap(each, f"{function(edit, name)}({{}})")
        return
    call = made(edit, case, layer)
    edit.wrap(call, f"{module(edit, call, 'Sequential')}({{}}, {module(edit, call, code)})")


def _in_chain(edit: ScriptEdit, call: cst.Call) -> bool:
    """Whether a module is made as a part of a Sequential, or of a list that a Sequential is made of."""
    if not edit.is_item(call):
        return False
    whole = edit.parent(edit.parent(call) or call)
    if isinstance(whole, cst.Call):
        return last_name(whole.func) in HOLDERS
    return isinstance(whole, (cst.List, cst.Tuple)) and _feeds_sequential(edit, whole)


def _feeds_sequential(edit: ScriptEdit, whole: cst.CSTNode) -> bool:
    for above in edit.above(whole)[:4]:
        if isinstance(above, cst.Call):
            return last_name(above.func) in (*HOLDERS, "extend")
        if isinstance(above, (cst.Assign, cst.AugAssign)):
            break
    return bool(re.search(r"Sequential\(\s*\*", edit.original))


def _appended(edit: ScriptEdit, call: cst.Call) -> bool:
    holder = edit.parent(edit.parent(call) or call)
    appends = isinstance(holder, cst.Call) and last_name(holder.func) == "append"
    return appends and bool(re.search(r"Sequential\(\s*\*", edit.original))


def take_out(edit: ScriptEdit, case: Case, layer: str, over: str | None = None) -> None:
    """Takes a module out of the way of the values: out of its Sequential, else out of `forward`, else an Identity for it.

    Args:
        over: where the module is used several times, the layer whose output it is not to be given.

    Raises:
        CannotEditError: the module is not found.
    """
    uses = called(edit, layer)
    if uses:
        for use in _of_layer(edit, uses, over):
            unwrap(edit, use)
        return
    call = made(edit, case, layer)
    if _in_chain(edit, call) and not is_shared(case, layer):
        edit.remove_item(call)
    elif not is_shared(case, layer):
        edit.replace(call, module(edit, call, "Identity()"))
    else:
        _last_of_loop(edit)


def _last_of_loop(edit: ScriptEdit) -> None:
    """`Sequential(*layers)` becomes `Sequential(*layers[:-1])`."""
    for _, call in edit.all_calls("Sequential"):
        if (
            len(call.args) == 1
            and call.args[0].star == "*"
            and isinstance(call.args[0].value, (cst.Name, cst.Attribute))
        ):
            edit.wrap(call.args[0].value, "{}[:-1]")
            return
    raise CannotEditError("The layers are made in a loop that is not understood.")


def _of_layer(edit: ScriptEdit, uses: list[cst.Call], over: str | None) -> list[cst.Call]:
    """The uses of a module on a layer's output; all where there is one, the last where that cannot be told."""
    if len(uses) == 1 or over is None:
        return uses
    attribute = over.rpartition(".")[2]
    direct = [u for u in uses if re.search(rf"\.{re.escape(attribute)}\(", edit.code(u.args[0].value))]
    return direct[-1:] or uses[-1:]


def unwrap(edit: ScriptEdit, call: cst.Call) -> None:
    """Puts what a call is given in its place: `x` of `F.relu(x)`, of `x.relu()` and of `self.act(x)`.

    Raises:
        CannotEditError: it is given nothing.
    """
    given_first = bool(call.args) and (call.args[0].keyword is None or call.args[0].keyword.value == "input")
    method = isinstance(call.func, cst.Attribute) and not isinstance(call.func.value, cst.Name)
    plain = given_first and not isinstance(call.args[0].value, (cst.Integer, cst.Float, cst.UnaryOperation))
    if plain and not (method and last_name(call.func) in ("clamp", "softmax")):
        edit.change(call, lambda now: now.args[0].value)
    elif isinstance(call.func, cst.Attribute):
        edit.change(call, lambda now: now.func.value)
    else:
        raise CannotEditError("The call is given nothing.")


def set_width(edit: ScriptEdit, case: Case, layer: str, name: str, place: int, width: int) -> None:
    """Gives a width of a layer another number, where that is written.

    Raises:
        CannotEditError: it is not found.
    """
    from osler.doctor.mending.number_edit import number, set_number

    call = made(edit, case, layer)
    read = next((c for c in case.script.calls if edit.found(c.node) is call), None)
    if read is None:
        raise CannotEditError(f"{layer} is not made in a way that is understood.")
    value = next((k.value for k in read.node.keywords if k.arg == name), None)
    value = value or (read.node.args[place] if place < len(read.node.args) else None)
    if value is None or isinstance(value, ast.Starred):
        raise CannotEditError(f"{name} of {layer} is not given.")
    if number(case.script, value, read.function) is not None and not is_shared(case, layer):
        set_number(edit, case.script, value, read.function, str(width))
    else:
        edit.replace(edit.at(value), str(width))
