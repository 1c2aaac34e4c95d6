"""A layer called where it was left out, what it puts out passed on, a second loss added; else the layer taken away."""

import ast
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.mending.layer_edit import model_with
from osler.doctor.mending.layer_place import LayerPlace
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding
from osler.vitals.evidence import LayerSeen

CHOICE = "use of the layer"


@prescribes("unused-parameters")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Its output passed on; called in the place of another one, or after the one before it; its loss added; taken away."""
    layer = finding.where.layer
    if layer is None:
        return
    _, seen = model_with(case, layer)
    offers: list[tuple[str, str, Edit]] = [
        ("use every loss", "Add the loss that is computed and not used.", lambda edit: _add_loss(edit, case))
    ]
    made = _made(case, seen)
    if made is not None:
        place = LayerPlace(case, made)
        offers += [
            ("pass on its output", f"Pass on what {layer} puts out.", place.pass_on),
            ("use all of the list", "Go through the whole list of layers.", place.whole_list),
            ("call it in its place", f"Call {layer} where another layer is called a second time.", place.second_call),
            ("use the layer", f"Call {layer} in forward, where its place is by the order of the layers.", place.call),
            ("remove the layer", f"Take {layer} out of the network: nothing uses it.", place.remove),
        ]  # fmt: skip
    for remedy, change, edit in offers:
        yield Prescription(remedy, change, edit, choice=CHOICE)


def _made(case: Case, seen: LayerSeen) -> ast.Assign | None:
    """The assignment that gives an attribute the layer."""
    if seen.site is None:
        return None
    line = seen.site.line
    found = [
        n for n in ast.walk(case.script.tree)
        if isinstance(n, ast.Assign) and n.lineno <= line <= (n.end_lineno or n.lineno) and dotted(n.targets[0]).startswith("self.")
    ]  # fmt: skip
    return found[-1] if found else None


def _add_loss(edit: ScriptEdit, case: Case) -> None:
    """Adds a loss that is computed and leads nowhere to the one on which `backward` is called.

    Raises:
        CannotEditError: every loss is used.
    """
    backward = next((c for c in case.script.calls_of("backward")), None)
    name = backward.name.rpartition(".")[0] if backward is not None else ""
    if backward is None or not name.isidentifier():
        raise CannotEditError("The loss has no name.")
    used = {n for a in case.script.slice_of(name, before=backward.line) for n in a.names} | {name}
    used |= {
        x.id
        for a in case.script.slice_of(name, before=backward.line)
        for x in ast.walk(a.value)
        if isinstance(x, ast.Name)
    }
    sites = {loss.site.line for loss in case.losses() if loss.site is not None}
    for assigned in case.script.assignments:
        lines = range(assigned.line, (assigned.value.end_lineno or assigned.line) + 1)
        free = [n for n in assigned.names if n not in used]
        if assigned.function == backward.function and assigned.line < backward.line and free and sites & set(lines):
            edit.insert_before(backward.line, f"{name} = {name} + {free[0]}")
            return
    raise CannotEditError("Every loss is used.")
