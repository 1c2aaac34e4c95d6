"""Inputs scaled once: divided or standardised where they are made, in the network, or one of two scalings taken out."""

import ast
from collections.abc import Callable, Iterator

from osler.doctor.case import Case
from osler.doctor.data_lines import scales
from osler.doctor.input_size import InputSize
from osler.doctor.mending.input_edit import change_at_calls, change_conversions, change_in_forward, standardise
from osler.doctor.mending.layer_edit import made, module
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.value_edit import unwrap_division
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding
from osler.vitals.evidence import ModelSeen

CHOICE = "scale of the inputs"
BYTE = 255
NORMS = {1: "BatchNorm1d", 3: "BatchNorm2d"}


@prescribes("input-not-scaled")
def scale(finding: Finding, case: Case) -> Iterator[Prescription]:
    """By 255 where they are bytes; tables column by column, pictures by the recorded mean and spread."""
    model = case.models[0]
    size = InputSize.of(case, model)
    if size is None:
        return
    shape = case.data(model).shape
    bytes_ = size.low >= 0 and 200 < size.high <= BYTE
    form, told = _form(size, bytes_)
    ways: list[Callable[[ScriptEdit, Case, ModelSeen, str], None]] = [
        change_conversions,
        change_in_forward,
        change_at_calls,
    ]
    offers: list[tuple[str, Edit]] = [(told, _with(way, case, model, form)) for way in ways]
    columns = "Subtract the training inputs' mean and divide by their spread, column by column."
    if len(shape) == 1 and not bytes_:
        offers.insert(0, (columns, lambda edit: standardise(edit, case, model)))
    for text, edit in _possible(case, offers)[:2]:
        yield Prescription("scale the inputs", text, edit, choice=CHOICE)
    if size.layer is not None and len(shape) in NORMS:
        layer = size.layer
        kind = f"{NORMS[len(shape)]}({shape[0]})"
        told = f"Begin the network with {kind}, before {layer}."
        yield Prescription(
            "normalise in the network", told, lambda edit: _norm_before(edit, case, layer, kind), choice=CHOICE
        )


def _with(way: Callable[[ScriptEdit, Case, ModelSeen, str], None], case: Case, model: ModelSeen, form: str) -> Edit:
    return lambda edit: way(edit, case, model, form)


def _form(size: InputSize, bytes_: bool) -> tuple[str, str]:
    if bytes_:
        return "{} / 255", "Divide the inputs by 255."
    spread = (size.rms**2 - size.mean**2) ** 0.5 if size.rms > abs(size.mean) else size.spread
    mean, spread = float(f"{size.mean:.3g}"), float(f"{spread or 1.0:.3g}")
    if size.low >= 0 and size.mean < spread:
        return f"{{}} / {spread:g}", f"Divide the inputs by {spread:g}, their spread in training."
    sign = "-" if mean >= 0 else "+"
    return (
        f"({{}} {sign} {abs(mean):g}) / {spread:g}",
        f"Subtract {mean:g} from the inputs and divide by {spread:g}: their mean and spread in training.",
    )


def _possible(case: Case, offers: list[tuple[str, Edit]]) -> list[tuple[str, Edit]]:
    """Those that can be carried out on this script."""
    found = []
    for told, edit in offers:
        try:
            edit(ScriptEdit(case.evidence.source))
        except CannotEditError:
            continue
        found.append((told, edit))
    return found


def _norm_before(edit: ScriptEdit, case: Case, layer: str, code: str) -> None:
    call = made(edit, case, layer)
    edit.wrap(call, f"{module(edit, call, 'Sequential')}({module(edit, call, code)}, {{}})")


# ---- twice


@prescribes("input-scaled-twice")
def scale_once(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Without one of the scalings on the way: that one first without which inputs have a usual range."""
    model = case.models[0]
    size = InputSize.of(case, model)
    if size is None:
        return
    found = _scalings(case, model)
    found.sort(key=lambda pair: _unlike(size, pair[1]))
    for node, _ in found[:4]:
        yield Prescription(
            "drop one normalisation",
            f"Leave the scaling at line {getattr(node, 'lineno', 0)} out: `{ast.unparse(node)[:60]}`.",
            _without(node, _alike(case, model, node)),
            choice=CHOICE,
        )


def _scalings(case: Case, model: ModelSeen) -> list[tuple[ast.AST, float | None]]:
    """The divisions and scaling calls on the way of the inputs, with the number by which they divide, the nearest first."""
    found: dict[int, tuple[ast.AST, float | None]] = {}
    for step in case.lines.inputs(model):
        if not scales(step):
            continue
        for node in ast.walk(step.node):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not isinstance(node.left, ast.Constant):
                found.setdefault(id(node), (node, _number(node.right)))
            elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
                found.setdefault(id(node), (node, _number(node.value)))
            elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in (
                "div",
                "div_",
                "Normalize",
                "normalize",
            ):
                found.setdefault(id(node), (node, _number(node.args[0]) if node.args else None))
    return list(found.values())


def _number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return float(value) if isinstance(value, (int, float)) else None


def _unlike(size: InputSize, divisor: float | None) -> float:
    """How far inputs are from a range of 1 to 4 without a division by that number."""
    if divisor is None:
        return 1.0
    reach = max(abs(size.low), abs(size.high)) * abs(divisor)
    return 0.0 if 0.5 <= reach <= 4 else 2.0


def _alike(case: Case, model: ModelSeen, node: ast.AST) -> list[ast.AST]:
    """Divisions by the same on the way of held-out samples, which training samples do not pass."""
    if not isinstance(node, ast.BinOp):
        return []
    mine = {id(n) for s in case.lines.inputs(model) for n in ast.walk(s.node)}
    others = [n for s in case.lines.held_out_inputs(model) for n in ast.walk(s.node) if id(n) not in mine]
    if any(n is node for s in case.lines.held_out_inputs(model) for n in ast.walk(s.node)):
        return []
    found = [n for n in others if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)]
    return [n for n in dict.fromkeys(found) if ast.unparse(n.right) == ast.unparse(node.right)]


def _without(node: ast.AST, alike: list[ast.AST]) -> Edit:
    def change(edit: ScriptEdit) -> None:
        for each in (node, *alike):
            if isinstance(each, ast.Call):
                _take_call_out(edit, each)
            else:
                unwrap_division(edit, each)

    return change


def _take_call_out(edit: ScriptEdit, node: ast.Call) -> None:
    """`x.div_(255)` gives way to `x`; a transform is taken out of its list."""
    name = dotted(node.func).rpartition(".")[2]
    there = edit.at(node)
    if name in ("div", "div_") and isinstance(node.func, ast.Attribute):
        edit.replace(there, edit.code(edit.at(node.func.value)))
    elif edit.is_item(there):
        edit.remove_item(there)
    else:
        raise CannotEditError("The scaling is no part of a list.")
