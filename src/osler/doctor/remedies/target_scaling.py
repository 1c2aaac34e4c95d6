"""Targets in the range of the outputs: standardised, or the last activation taken away."""

import re
from collections.abc import Iterator

from osler.doctor.case import BINARY_LOSSES, Case
from osler.doctor.mending.loss_edit import change_loss, change_targets, remove_last, same_losses
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.value_edit import carried, change_after, targets_of
from osler.doctor.own_losses import regression_losses
from osler.doctor.provenance import Step
from osler.structures.finding import Finding
from osler.vitals.evidence import LossSeen

CHOICE = "targets and outputs"
OF_TRAINING = re.compile(r"(^|_)(tr|trn)(_|$)|train|tr$", re.IGNORECASE)
UNLIKE = ("DataLoader(", "TensorDataset(", "Dataset(", "Subset(", "permutation(", "randperm(", "parse_args(", "arange(")


@prescribes("target-not-scaled")
def scale(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Where they are made; else where the loss is given them, by the recorded mean and spread."""
    losses = regression_losses(case)
    loss = next((x for x in losses if x.site is not None), losses[0])

    def behind(edit: ScriptEdit) -> None:
        step, name = target_assignment(case, loss, finding.where.line)
        change_after(edit, step, f"{name} = ({name} - {name}.mean()) / {name}.std()")

    yield Prescription(
        "scale the targets", "Subtract the targets' mean and divide by their spread.", behind, choice=CHOICE
    )
    form = _form(loss)
    if form is not None:

        def at_loss(edit: ScriptEdit) -> None:
            change_targets(edit, case, same_losses(case, loss), form)

        told = f"Give the loss {form.replace('{}', 'target')}: targets with mean 0 and spread 1."
        yield Prescription("scale the targets", told, at_loss, choice=CHOICE, changes_loss=True)


def target_assignment(case: Case, loss: LossSeen, line: int | None) -> tuple[Step, str]:
    """The assignment of the targets at a line, else the nearest one of an array, and their name.

    Raises:
        CannotEditError: there is none.
    """
    steps = case.lines.targets(loss) or case.lines.companions(case.models[0])
    listed = [s for s in steps if targets_of(s.node) and s.line and not any(word in s.text for word in UNLIKE)]
    named = [(s, name) for s in listed if (name := carried(steps, s, 1)) is not None]
    whole = [pair for pair in named if not OF_TRAINING.search(pair[1])]
    for step, name in [*(p for p in named if p[0].line == line), *whole, *named]:
        return step, name
    raise CannotEditError("The targets have no name.")


def _form(loss: LossSeen) -> str | None:
    seen = [s.target for s in loss.samples if s.target is not None and s.moment == "train"]
    if not seen:
        return None
    mean = sum(t.mean for t in seen) / len(seen)
    spread = (sum(t.std**2 + (t.mean - mean) ** 2 for t in seen) / len(seen)) ** 0.5
    if not spread > 0:
        return None
    return f"({{}} {'-' if mean >= 0 else '+'} {abs(float(f'{mean:.3g}')):g}) / {float(f'{spread:.3g}'):g}"


@prescribes("target-out-of-output-range")
def reach(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Without the last activation; of a binary loss another loss, or targets from 0 to 1."""
    losses = [x for x in case.losses() if x.site is not None]
    named = [x for x in losses if x.function in finding.evidence and x.function in BINARY_LOSSES]
    if named:
        loss = named[0]

        def distance(edit: ScriptEdit) -> None:
            remove_last(edit, case, loss, "Sigmoid")
            change_loss(edit, loss.function, "mse_loss")

        yield Prescription(
            "use the loss of the task", "Use mse_loss on plain outputs.", distance, choice=CHOICE, changes_loss=True
        )
        return
    loss = next((x for x in regression_losses(case) if x.site is not None), losses[0])

    def plain(edit: ScriptEdit) -> None:
        if not remove_last(
            edit, case, loss, "Relu", "Sigmoid", "Tanh", "Softmax", "Softplus", "Clamp", "Hardtanh", "Threshold"
        ):
            raise CannotEditError("The last activation is not found.")

    told = f"Remove the activation behind the last layer, {finding.where.layer or 'before the loss'}."
    yield Prescription("remove the last activation", told, plain, choice=CHOICE)
