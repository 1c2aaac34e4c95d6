"""Activations of a program exchanged for others, as modules, functions, methods, or names that are handed on."""

from collections.abc import Callable
from typing import Any

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.layer_edit import function
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name
from osler.vitals.evidence import LayerSeen, ModelSeen

MODULES = {"relu": "ReLU", "sigmoid": "Sigmoid", "tanh": "Tanh", "leaky_relu": "LeakyReLU"}
OF_MODULE = {kind: name for name, kind in MODULES.items()}
ARGUMENTS = {"leaky_relu": "0.1"}  # slope below zero; torch's own 0.01 moves units that are dead but slowly


def hidden(case: Case, model: ModelSeen, kinds: frozenset[str]) -> list[LayerSeen]:
    """The activations of these kinds behind which a layer with weights still comes."""
    layers = case.layers(model)
    last = max((x.order or 0 for x in layers if x.parameters), default=0)
    return [x for x in layers if x.kind in kinds and (x.order or 0) < last]


def exchange(edit: ScriptEdit, case: Case, model: ModelSeen, layers: list[LayerSeen], new: str) -> None:
    """Puts another activation in the place of these, each where the program names it.

    Args:
        new: the new one by its function, `relu`, `tanh` or `leaky_relu`.

    Raises:
        CannotEditError: none is found.
    """
    head = _head(case, model)
    places = {(x.site.line, x.kind) for x in layers if x.site is not None}
    changed = [_at(edit, line, kind, new, head) for line, kind in sorted(places)]
    if any(changed):
        return
    named = [_by_reference(edit, kind, new) for kind in sorted({kind for _, kind in places})]
    if not any(named):
        raise CannotEditError("The activations are not found.")


def _head(case: Case, model: ModelSeen) -> str:
    """The attribute of the last layer with weights, whose own activation is the output's."""
    weighted = [x for x in case.layers(model) if x.parameters]
    return weighted[-1].name.rpartition(".")[2] if weighted else ""


def _at(edit: ScriptEdit, line: int, kind: str, new: str, head: str) -> bool:
    """Exchanges the modules that are made at a line, or the functions that are called there."""
    names = {kind, OF_MODULE.get(kind, kind), f"{kind.rstrip('_')}_", kind.rstrip("_")}
    found = [c for c in edit.calls(line, *names) if not _is_of_head(c, head)]
    for call in found:
        if last_name(call.func) in OF_MODULE:
            _module(edit, call, new)
        elif last_name(call.func) in names:
            _function(edit, call, new)
    return bool(found)


def _is_of_head(call: cst.Call, head: str) -> bool:
    """Whether a function takes what the last layer puts out."""
    given = call.args[0].value if call.args else None
    return bool(head) and not head.isdigit() and isinstance(given, cst.Call) and last_name(given.func) == head


def _module(edit: ScriptEdit, call: cst.Call, new: str) -> None:
    kind, slope = MODULES[new], ARGUMENTS.get(new)

    def change(now: cst.Call) -> cst.Call:
        in_place = any("inplace" in (a.keyword.value if a.keyword else "") for a in now.args) or (
            bool(now.args) and now.args[0].keyword is None
        )
        options = [o for o in (slope, "inplace=True" if in_place and new in ("relu", "leaky_relu") else None) if o]
        made = cst.parse_expression(f"f({', '.join(options)})")
        assert isinstance(made, cst.Call)
        name = cst.Name(kind)
        func = now.func.with_changes(attr=name) if isinstance(now.func, cst.Attribute) else name
        return now.with_changes(func=func, args=made.args)

    if isinstance(call.func, cst.Name) and call.func.value != kind:
        edit.add_import(f"from torch.nn import {kind}")
    edit.change(call, change)


def _function(edit: ScriptEdit, call: cst.Call, new: str) -> None:
    """`torch.sigmoid(x)`, `F.sigmoid(x)` and `x.sigmoid()` become `torch.relu(x)`, `F.relu(x)` and `x.relu()`."""
    slope = ARGUMENTS.get(new)
    owner = edit.code(call.func.value) if isinstance(call.func, cst.Attribute) else ""
    if slope is None and isinstance(call.func, cst.Attribute):
        edit.change(call.func, renamed(new))
        return
    name = f"{owner}.{new}" if owner == "F" or owner.endswith("functional") else functional(edit, new)
    if slope is None:
        name = function(edit, new)
    method = not call.args or (
        isinstance(call.func, cst.Attribute) and owner not in ("F", "torch") and "functional" not in owner
    )
    extra = f", {slope}" if slope else ""

    def change(now: cst.Call) -> cst.BaseExpression:
        given = now.func.value if method and isinstance(now.func, cst.Attribute) else now.args[0].value
        return cst.parse_expression(f"{name}({edit.code(given)}{extra})")

    edit.change(call, change)


def renamed(name: str) -> Callable[[Any], cst.CSTNode]:
    """A change of the last part of a dotted name."""
    return lambda now: now.with_changes(attr=cst.Name(name))


def functional(edit: ScriptEdit, name: str) -> str:
    """A function that is in `torch.nn.functional` alone, with the prefix that the program has for it."""
    for prefix, marks in (
        ("F", ("import torch.nn.functional as F", "from torch.nn import functional as F")),
        ("nn.functional", ("import torch.nn as nn", "from torch import nn")),
    ):
        if any(mark in edit.original for mark in marks):
            return f"{prefix}.{name}"
    if "import torch\n" not in edit.original:
        edit.add_import("import torch")
    return f"torch.nn.functional.{name}"


def _by_reference(edit: ScriptEdit, kind: str, new: str) -> bool:
    """Exchanges names that are handed on without being called, `act = nn.Sigmoid` and `f = torch.sigmoid`."""
    lower = OF_MODULE.get(kind, kind.rstrip("_"))
    found = False
    for _, node in edit.every(cst.Attribute):
        parent = edit.parent(node)
        if node.attr.value not in (lower, MODULES.get(lower, "")) or isinstance(parent, cst.Attribute):
            continue
        if isinstance(parent, cst.Call) and parent.func is node:
            continue
        name = MODULES[new] if node.attr.value[0].isupper() else new
        if new == "leaky_relu" and name == new:
            edit.replace(node, functional(edit, new))
        else:
            edit.change(node, renamed(name))
        found = True
    return found or _by_making(edit, lower, new)


def _by_making(edit: ScriptEdit, lower: str, new: str) -> bool:
    """Exchanges all modules and functions of a kind where the recorded line has none, as one made by a method."""
    calls = [c for _, c in edit.all_calls(MODULES.get(lower, lower))]
    for call in calls:
        _module(edit, call, new)
    return bool(calls)
