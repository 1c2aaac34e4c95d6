"""The softmax is taken out of the network, or out of the call of the loss."""

from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding

FUNCTIONS = ("softmax", "sigmoid")
MODULES = ("Softmax", "Sigmoid")


@prescribes("softmax-before-cross-entropy")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Without it, where it stands as a function or as a layer."""
    line, layer = finding.where.line, finding.where.layer
    if line is None:
        return

    def remove(edit: ScriptEdit) -> None:
        calls = edit.calls(line, *FUNCTIONS)
        if calls:
            edit.replace(calls[0], inner_of(edit, calls[0]))
            return
        made = edit.calls(line, *MODULES)
        if made:
            edit.replace(made[0], "nn.Identity()" if "nn." in edit.code(made[0]) else "torch.nn.Identity()")
            return
        remove_use(edit, line, layer or "")

    yield Prescription(
        "remove the softmax", f"Remove the softmax at line {line}: the loss takes it itself.", remove, changes_loss=True
    )


def inner_of(edit: ScriptEdit, call: cst.Call) -> str:
    """What a function is given: `x` of `F.softmax(x, 1)`, of `self.softmax(x)` and of `x.softmax(1)`."""
    given = next((arg.value for arg in call.args if arg.keyword is None or arg.keyword.value == "input"), None)
    if given is not None and not isinstance(given, (cst.Integer, cst.UnaryOperation)):
        return edit.code(given)
    if isinstance(call.func, cst.Attribute):
        return edit.code(call.func.value)
    raise CannotEditError("The call has no argument.")


def remove_use(edit: ScriptEdit, line: int, layer: str) -> None:
    """`self.softmax(x)` becomes `x`, at the line where the layer is called."""
    name = layer.rpartition(".")[2]
    for call in edit.calls(line):
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == name and call.args:
            edit.replace(call, edit.code(call.args[0].value))
            return
    raise CannotEditError(f"No call of {name} stands at line {line}.")
