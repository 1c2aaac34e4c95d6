"""Another batch size, or a rate that fits the one there is."""

from collections.abc import Iterator

import numpy as np

from osler.doctor.case import Case
from osler.doctor.mending.batch_edit import set_batch_size
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.rate_edit import most_used, scale_rates
from osler.doctor.mending.script_edit import ScriptEdit
from osler.doctor.update_sizes import is_adaptive
from osler.structures.finding import Finding

USUAL, LARGE = 32, 64  # samples a batch
CHOICE = "batch size"


@prescribes("batch-too-small")
def larger(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Batches of 32; else a tenth of the rate."""
    now = batch_size(case)
    yield resized(case, USUAL, "make the batch larger")
    optimizer = most_used(case)

    def slower(edit: ScriptEdit) -> None:
        scale_rates(edit, case, optimizer, 0.1)

    told = (
        f"Lower the learning rate to a tenth, for batches of {now} samples."
        if now
        else "Lower the learning rate to a tenth."
    )
    yield Prescription("lower the rate", told, slower, choice="learning rate")


@prescribes("batch-too-large")
def smaller(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Batches of 32, or 64; else a rate that is larger with the batch."""
    now = batch_size(case)
    yield resized(case, USUAL, "make the batch smaller")
    optimizer = most_used(case)
    factor = min(30.0, max(3.0, (now or USUAL) / USUAL))
    factor = factor**0.5 if is_adaptive(optimizer) else factor

    def faster(edit: ScriptEdit) -> None:
        scale_rates(edit, case, optimizer, factor)

    yield Prescription(
        "raise the rate with the batch",
        f"Raise the learning rate {factor:.0f} times, as the batch is larger.",
        faster,
        choice="learning rate",
    )


def resized(case: Case, size: int, remedy: str) -> Prescription:
    """The prescription of another batch size."""
    now = batch_size(case)

    def change(edit: ScriptEdit) -> None:
        set_batch_size(edit, case, size, now)

    told = f"Use batches of {size} samples" + (f" in place of {now}." if now else ".")
    return Prescription(remedy, told, change, choice=CHOICE)


def batch_size(case: Case) -> int | None:
    """How many samples most training batches held."""
    sizes = [
        c.inputs[0].shape[0]
        for model in case.evidence.trained_models[:1]
        for c in model.calls
        if c.moment == "train" and c.inputs and c.inputs[0].shape
    ]
    return int(np.median(sizes)) if sizes else None
