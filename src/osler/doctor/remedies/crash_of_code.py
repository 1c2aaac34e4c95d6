"""Errors that a line of the program itself makes: a device left out, a graph used twice, a value overwritten, a call misread."""

import ast
import re
from collections.abc import Callable, Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.activation_edit import renamed
from osler.doctor.mending.crash_edit import calls_in, change_targets_of_losses, crash_line, network_calls
from osler.doctor.mending.prescription import Edit, Prescription
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name, without_argument
from osler.doctor.mending.value_edit import put

Offer = Callable[["re.Match[str]", Case], Iterator[Prescription]]
CHOICE = "crash"


def _mend(remedy: str, change: str, edit: Edit) -> Prescription:
    return Prescription(remedy, change, edit, choice=CHOICE, changes_loss=True)


def _devices(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    """The network moved where it is made if nothing moves it; else what it and the loss are given."""
    named = re.search(r"^\s*(?:self\.)?(device|DEVICE|dev)\s*=", case.evidence.source, re.MULTILINE)
    device = named[1] if named else '"cuda"'

    def network(edit: ScriptEdit) -> None:
        for model in case.evidence.models:
            made = [a for a in case.script.assignments if model.name in (n.removeprefix("self.") for n in a.names)]
            if made and isinstance(made[0].value, ast.Call) and ".to(" not in ast.unparse(made[0].value):
                put(edit, made[0].value, f"{{}}.to({device})")
                return
        raise CannotEditError("It is not known where the network is made.")

    def data(edit: ScriptEdit) -> None:
        calls = network_calls(case)
        if not calls:
            raise CannotEditError("The calls of the network are not found.")
        for call in calls:
            put(edit, call.node.args[0], f"{{}}.to({device})")
        change_targets_of_losses(edit, case, f"{{}}.to({device})")

    moved = any(re.search(rf"\b{m.name}\.(to|cuda)\(", case.evidence.source) for m in case.evidence.models)
    if not moved:
        yield _mend("move the network", f"Move the network: `.to({device})`.", network)
    yield _mend("move the data", f"Move inputs and targets: `.to({device})`.", data)


def _reshape(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    def change(edit: ScriptEdit) -> None:
        calls = [c for c in calls_in(edit, crash_line(case)) if last_name(c.func) == "view"]
        if not calls:
            raise CannotEditError("No view stands there.")
        for call in calls:
            edit.change(call.func, renamed("reshape"))

    yield _mend("reshape", "Use `reshape` in place of `view`.", change)


def _mean_of_losses(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    def change(edit: ScriptEdit) -> None:
        for call in calls_in(edit, crash_line(case)):
            if last_name(call.func) == "backward" and isinstance(call.func, cst.Attribute):
                edit.wrap(call.func.value, "{}.mean()" if isinstance(call.func.value, cst.Name) else "({}).mean()")
                return
        raise CannotEditError("No backward stands there.")

    yield _mend("one loss", "Take the mean of the losses: `.mean().backward()`.", change)


def _used_twice(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    """A state that is carried from batch to batch is detached before it is used again."""

    def change(edit: ScriptEdit) -> None:
        for call in case.script.calls:
            given = {a.id for a in call.node.args[1:] if isinstance(a, ast.Name)}
            made = next((a for a in case.script.assignments if a.value is call.node and given & set(a.names)), None)
            if made is not None and call.loop:
                name = sorted(given & set(made.names))[0]
                several = any(x.kind in ("LSTM", "LSTMCell") for m in case.evidence.models for x in m.layers.values())
                detached = f"tuple(s.detach() for s in {name})" if several else f"{name}.detach()"
                edit.insert_after(made.line, f"{name} = {detached}")
                return
        raise CannotEditError("No state is carried from call to call.")

    yield _mend("detach what is carried over", "Detach the state before the next batch uses it.", change)


def _overwritten(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    """In `forward` and where the loss is made, values are written to new tensors."""

    def change(edit: ScriptEdit) -> None:
        changed = False
        for _, assignment in edit.every(cst.AugAssign):
            target = edit.code(assignment.target)
            within = [a for a in edit.above(assignment) if isinstance(a, cst.FunctionDef)]
            if not within or within[0].name.value != "forward" or not isinstance(assignment.target, cst.Name):
                continue
            sign = edit.code(assignment.operator).rstrip("= ")
            line = edit.line_of(assignment)
            edit.replace_statement(line, f"{target} = {target} {sign} ({edit.code(assignment.value)})")
            changed = True
        for _, call in edit.every(cst.Call):
            if any(a.keyword is not None and a.keyword.value == "inplace" for a in call.args):
                edit.change(call, lambda now: without_argument(now, "inplace"))
                changed = True
            elif last_name(call.func) in ("relu_", "tanh_", "sigmoid_") and isinstance(call.func, cst.Attribute):
                name = last_name(call.func).rstrip("_")
                edit.change(call.func, renamed(name))
                changed = True
        if not changed:
            raise CannotEditError("Nothing in forward is changed in place.")

    yield _mend("write to new tensors", "Write to new tensors in `forward`, `x = x + y` in place of `x += y`.", change)


def _under_no_grad(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    def change(edit: ScriptEdit) -> None:
        line = crash_line(case)
        code = edit.code(edit.statement(line)).partition("#")[0].strip()
        if "\n" in code:
            raise CannotEditError("The statement has several lines.")
        edit.replace_statement(line, f"with torch.no_grad():\n    {code}")

    yield _mend("change weights under no_grad", "Change weights under `torch.no_grad()`.", change)


def _to_array(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    way = "detach()" if "requires grad" in match[0] else "cpu()"

    def change(edit: ScriptEdit) -> None:
        calls = [c for c in calls_in(edit, crash_line(case)) if last_name(c.func) == "numpy"]
        for call in calls:
            if isinstance(call.func, cst.Attribute):
                edit.wrap(call.func.value, f"{{}}.{way}")
        if not calls:
            raise CannotEditError("No array is made there.")

    yield _mend("leave the graph", f"Make the array of `x.{way}`.", change)


def _loss_made_first(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    """`nn.CrossEntropyLoss(output, target)` becomes `nn.CrossEntropyLoss()(output, target)`."""

    def change(edit: ScriptEdit) -> None:
        for call in calls_in(edit, crash_line(case)):
            name = edit.code(call.func)
            if name.endswith("Loss") and len(call.args) == 2:
                edit.replace(call.func, f"{name}()")
                return
        raise CannotEditError("No loss is made there.")

    yield _mend("make the loss first", "Make the loss, then call it.", change)


CODE: tuple[tuple[str, Offer], ...] = (
    (r"on the same device|is on cuda|weight type \(torch\.cuda|on (?:cpu|cuda:\d) but expected", _devices),
    (r"view size is not compatible with input tensor's size and stride", _reshape),
    (r"grad can be implicitly created only for scalar outputs", _mean_of_losses),
    (r"Trying to backward through the graph a second time", _used_twice),
    (r"modified by an inplace operation", _overwritten),
    (r"leaf Variable that requires grad is being used in an in-place operation", _under_no_grad),
    (r"Can't call numpy\(\) on Tensor that requires grad", _to_array),
    (r"can't convert cuda:?\d* device type tensor to numpy", _to_array),
    (r"Boolean value of Tensor with more than one value is ambiguous", _loss_made_first),
)
