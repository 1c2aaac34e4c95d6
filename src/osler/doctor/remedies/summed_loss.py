"""The mean in place of the sum over the batch."""

import ast
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.fault import NotSeen
from osler.doctor.mending.loss_edit import loss_call
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.rate_edit import scale_rates
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, argument, with_argument, without_argument
from osler.doctor.remedies.batch_size import batch_size
from osler.structures.finding import Finding
from osler.vitals.evidence import LossSeen

CHOICE = "mean of the loss"


@prescribes("summed-loss")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The mean where the sum is taken; a division where evaluation uses the sum as well; else a rate for the sum."""
    line = finding.where.line
    summed = [x for x in case.losses() if x.options.get("reduction") == "sum"]
    judged = any(x.options.get("reduction") == "sum" and x.counts["evaluate"] for x in case.evidence.losses)
    offers = [_divided(case, summed[0])] if summed else []
    if line is not None:
        mean = _mean(line)
        offers = [*offers, mean] if judged else [mean, *offers]
    yield from offers
    yield from _slower(case)


def _mean(line: int) -> Prescription:
    def change(edit: ScriptEdit) -> None:
        for call in edit.calls(line):
            if argument(call, "reduction") is not None:
                text = '"mean"' if '"' in edit.code(call) else "'mean'"
                edit.change(call, lambda node: with_argument(node, "reduction", text))  # noqa: B023 (returns at once)
                return
            if argument(call, "size_average") is not None:
                edit.change(call, lambda node: without_argument(node, "size_average"))
                return
        for call in edit.calls(line, "sum"):
            if isinstance(call.func, cst.Attribute):
                edit.change(call.func, lambda node: node.with_changes(attr=cst.Name("mean")))
                return
        raise CannotEditError("No sum stands there.")

    return Prescription(
        "take the mean", f"Take the mean over the batch at line {line}.", change, choice=CHOICE, changes_loss=True
    )


def _divided(case: Case, loss: LossSeen) -> Prescription:
    """The loss of the training, divided by the number of samples where it is computed."""

    def change(edit: ScriptEdit) -> None:
        call = loss_call(case, loss)
        targets = ast.unparse(call.node.args[1])
        node = edit.at(call.node)
        inner = isinstance(edit.parent(node), cst.Attribute)
        edit.wrap(node, f"({{}} / len({targets}))" if inner else f"{{}} / len({targets})")

    return Prescription(
        "divide by the batch",
        "Divide the summed loss by the number of samples.",
        change,
        choice=CHOICE,
        changes_loss=True,
    )


def _slower(case: Case) -> Iterator[Prescription]:
    size = batch_size(case)
    try:
        optimizer = case.optimizers[0]
    except NotSeen:
        return
    if size is None or size < 2:
        return

    def change(edit: ScriptEdit) -> None:
        scale_rates(edit, case, optimizer, 1 / size)

    yield Prescription("lower the rate", f"Divide the learning rate by the batch size, {size}.", change, choice=CHOICE)
