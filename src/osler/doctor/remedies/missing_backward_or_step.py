"""The three calls of an update, in their order."""

from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import ScriptEdit
from osler.doctor.mending.update_edit import add_brackets, put_in_order, update
from osler.structures.finding import Finding


@prescribes("missing-backward-or-step")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Brackets where a call is only named; else the calls moved or written where gradients are computed."""
    stepping = sorted(case.evidence.optimizers, key=lambda o: -o.steps)

    def brackets(edit: ScriptEdit) -> None:
        add_brackets(edit, case, "zero_grad", "backward", "step")

    def order(edit: ScriptEdit) -> None:
        put_in_order(edit, case, update(case, stepping[0] if stepping else None))

    yield Prescription(
        "call what is named", "Put brackets behind the calls of the update: without them nothing is called.", brackets
    )
    yield Prescription(
        "put the calls in order", "In every iteration: zero_grad(), then backward(), then step().", order
    )
