"""Layers put where their network sees them: into a container of torch, a list of modules, or an attribute."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.class_edit import (
    add_base,
    append_to_function,
    append_to_init,
    assignment_of,
    attribute_assignments,
    class_around,
    function_node,
)
from osler.doctor.mending.layer_edit import module
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding

DISPLAYS = (ast.List, ast.Tuple, ast.Set, ast.Dict)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
DICTS = (ast.Dict, ast.DictComp)
FILLING = ("append", "insert", "add")
CHOICE = "registering of layers"


@dataclass(frozen=True)
class Held:
    """The attribute that holds layers, and the value that it is given."""

    name: str
    value: ast.expr
    of_names: bool  # a dict rather than a list
    parameters: bool  # tensors to be learnt rather than layers
    nested: bool  # whether its parts are lists, tuples or dicts themselves

    @property
    def container(self) -> str:
        """What torch has for it."""
        return ("Parameter" if self.parameters else "Module") + ("Dict" if self.of_names else "List")


@prescribes("unregistered-layers")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A container that the module sees; a list of the modules beside it; or an attribute for a layer of the program."""
    name = (finding.where.layer or "").rpartition(".")[2]
    value = assignment_of(case, name, finding.where.line)
    if value is not None:
        yield from _of_attribute(case, name, value)
        return
    yield from _of_program(finding, case)


def _of_attribute(case: Case, name: str, value: ast.expr) -> Iterator[Prescription]:
    if _is_tensor(value):
        yield Prescription(
            "make it a parameter",
            f"Make {name} an nn.Parameter.",
            lambda edit: _as_parameter(edit, value),
            choice=CHOICE,
        )
        return
    held = _held(case, name, value)

    def contain(edit: ScriptEdit) -> None:
        _contain(edit, case, held)

    def beside(edit: ScriptEdit) -> None:
        _beside(edit, case, held)

    yield Prescription(
        "register the layers",
        f"Keep {name} in an nn.{held.container}, so that it is registered.",
        contain,
        choice=CHOICE,
    )
    if not held.parameters:
        yield Prescription(
            "register them beside it",
            f"Put the modules of {name} into an nn.ModuleList as well.",
            beside,
            choice=CHOICE,
        )


# ---- a container


def _held(case: Case, name: str, value: ast.expr) -> Held:
    shown = _shown(case, name, value)
    inside = [*shown, *_filled(case, name)]
    parameters = any(
        dotted(n.func).endswith("Parameter") for x in inside for n in ast.walk(x) if isinstance(n, ast.Call)
    )
    keys = any(_is_dict(x) for x in shown) or _has_keys(case, name)
    return Held(
        name,
        value,
        keys,
        parameters,
        any(_parts_nested(x) for x in shown) or any(_is_display(a) for a in _filled(case, name)),
    )


def _shown(case: Case, name: str, value: ast.expr) -> list[ast.expr]:
    """The value, and what stands behind it where it is a name or is made of one."""
    found = [value]
    for node in ast.walk(value):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found += [a.value for a in case.script.assignments if node.id in a.names and a.line <= value.lineno]
    return found if not isinstance(value, (*DISPLAYS, *COMPREHENSIONS)) else [value]


def _is_dict(value: ast.expr) -> bool:
    made = dotted(value.func).rpartition(".")[2] if isinstance(value, ast.Call) else ""
    return isinstance(value, DICTS) or made in ("dict", "OrderedDict", "defaultdict")


def _has_keys(case: Case, name: str) -> bool:
    """Whether the attribute is read by a name, or by its `items`, `values` or `keys`."""
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("items", "values", "keys"):
            if dotted(node.value).endswith(f".{name}"):
                return True
        elif isinstance(node, ast.Subscript) and dotted(node.value).endswith(f".{name}"):
            key = node.slice
            if isinstance(key, ast.JoinedStr) or (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                return True
    return False


def _is_display(value: ast.expr) -> bool:
    return isinstance(value, (*DISPLAYS, *COMPREHENSIONS))


def _parts(value: ast.expr) -> list[ast.expr]:
    """The parts of a list or dict as written."""
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        return list(value.elts)
    if isinstance(value, ast.Dict):
        return list(value.values)
    if isinstance(value, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        return [value.elt]
    if isinstance(value, ast.DictComp):
        return [value.value]
    if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in (
        "list",
        "tuple",
        "dict",
        "OrderedDict",
    ):
        return [p for a in value.args for p in _parts(a)] + [k.value for k in value.keywords]
    return []


def _parts_nested(value: ast.expr) -> bool:
    return any(_is_display(p) for p in _parts(value))


def _filled(case: Case, name: str) -> list[ast.expr]:
    """What is appended to the attribute, or put into it by a key."""
    found: list[ast.expr] = []
    for node in ast.walk(case.script.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in FILLING
            and node.args
        ):
            if dotted(node.func.value).endswith(f".{name}"):
                found.append(node.args[-1])
        elif isinstance(node, ast.Assign):
            found += [
                node.value
                for t in node.targets
                if isinstance(t, ast.Subscript) and dotted(t.value).endswith(f".{name}")
            ]
    return found


def _contain(edit: ScriptEdit, case: Case, held: Held) -> None:
    """Wraps what the attribute is given, and the lists within it."""
    for value in attribute_assignments(case, held.name):
        node = edit.at(value)
        emptied = isinstance(value, (ast.List, ast.Dict)) and not _parts(value)
        made = isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in (
            "list",
            "dict",
            "OrderedDict",
            "defaultdict",
        )
        named_twice = (
            made and isinstance(value, ast.Call) and (not value.args or dotted(value.func).endswith("defaultdict"))
        )
        if emptied or (named_twice and isinstance(value, ast.Call) and not value.keywords):
            edit.replace(node, module(edit, None, f"{held.container}()"))
        else:
            edit.wrap(node, module(edit, None, f"{held.container}({{}})"))
        _contain_parts(edit, value)
    for value in _filled(case, held.name):
        if _is_display(value):
            _contain_one(edit, value)


def _contain_parts(edit: ScriptEdit, value: ast.expr) -> None:
    for part in _parts(value):
        if _is_display(part):
            _contain_one(edit, part)


def _contain_one(edit: ScriptEdit, value: ast.expr) -> None:
    if isinstance(value, ast.Tuple):  # its place is told without its brackets
        element = edit.parent(edit.at(value.elts[0]))
        node = edit.parent(element) if element is not None else None
    else:
        node = edit.at(value)
    if not isinstance(node, cst.BaseExpression):
        raise CannotEditError("A part of the list is not found.")
    edit.wrap(node, module(edit, None, "ModuleDict({})" if isinstance(value, DICTS) else "ModuleList({})"))
    _contain_parts(edit, value)


# ---- a list beside it


def _beside(edit: ScriptEdit, case: Case, held: Held) -> None:
    """Gives the network a list of the same modules, once all are there."""
    values = f"self.{held.name}.values()" if held.of_names else f"self.{held.name}"
    each = f"for parts in {values} for m in parts" if held.nested else f"for m in {values}"
    name = module(edit, None, "ModuleList")
    kind = module(edit, None, "Module")
    code = f"self.{held.name}_registered = {name}(m {each} if isinstance(m, {kind}))"
    function = function_node(case, held.value.lineno)
    if function is None:
        raise CannotEditError("The layers are not made in a method.")
    append_to_function(edit, function, code)


# ---- tensors, and layers of the program


LEARNT = ("randn", "rand", "zeros", "ones", "empty", "tensor", "full", "eye", "normal")


def _is_tensor(value: ast.expr) -> bool:
    return any(
        k.arg == "requires_grad" or (isinstance(n.func, ast.Attribute) and n.func.attr == "requires_grad_")
        for n in ast.walk(value)
        if isinstance(n, ast.Call) and not dotted(n.func).endswith("Parameter")
        for k in [*n.keywords, ast.keyword(None, value)]
    ) and not isinstance(value, (*DISPLAYS, *COMPREHENSIONS))


def _as_parameter(edit: ScriptEdit, value: ast.expr) -> None:
    """`torch.randn(8, 8, requires_grad=True)` becomes `nn.Parameter(torch.randn(8, 8))`."""
    for node in ast.walk(value):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_":
            edit.change(edit.at(node), lambda now: now.func.value)
        elif any(k.arg == "requires_grad" for k in node.keywords):
            edit.remove_argument(node.lineno, dotted(node.func).rpartition(".")[2], "requires_grad")
    edit.wrap(edit.at(value), module(edit, None, "Parameter({})"))


def _of_program(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A layer that is made outside of the network, or in an object that is no module."""
    line = finding.where.line
    made = [a for a in case.script.assignments if line is not None and a.line <= line <= (a.value.end_lineno or a.line)]
    holder = class_around(case, line) if line is not None else None
    if holder is not None and not holder.bases:

        def base(edit: ScriptEdit) -> None:
            add_base(edit, holder, module(edit, None, "Module"))

        yield Prescription(
            "make its holder a module", f"Derive {holder.name} from nn.Module, so that its layers are registered.", base,
            choice=CHOICE,
        )  # fmt: skip
        return
    names = [n for a in made for n in a.names if n.isidentifier()]
    for model in case.models:
        if names and model.kind in case.script.classes():

            def attribute(edit: ScriptEdit, kind: str = model.kind) -> None:
                append_to_init(edit, case, kind, "\n".join(f"self.{n} = {n}" for n in names))

            yield Prescription(
                "make it an attribute",
                f"Keep {', '.join(names)} as attributes of {model.kind}.",
                attribute,
                choice=CHOICE,
            )
            return
