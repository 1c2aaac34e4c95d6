"""The last layer's output as it is."""

from collections.abc import Iterator

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.mending.loss_edit import OPERATIONS, exchange_operation, ways
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import ScriptEdit
from osler.structures.finding import Finding
from osler.vitals.evidence import Producer

WANTED = ("LogSoftmax", "Softmax", "LogSigmoid", "Log")  # by losses of probabilities


@prescribes("activation-on-logits")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Without the activation that stands last before the loss."""
    for loss in case.losses(*CLASS_LOSSES, *BINARY_LOSSES):
        way = ways(case, loss)
        if way is None:
            continue
        spared = loss.function in ("nll_loss", "binary_cross_entropy")
        for producer in way.operations:
            name = producer.operation.rpartition("::")[2].partition("Backward")[0]
            if name not in OPERATIONS or name in WANTED or (spared and name in ("Sigmoid", "Clamp")):
                continue
            yield _without(case, producer, OPERATIONS[name][0][0], way.last.layer)
            return


def _without(case: Case, producer: Producer, activation: str, layer: str | None) -> Prescription:
    def remove(edit: ScriptEdit) -> None:
        exchange_operation(edit, case, producer, layer, None)

    told = f"Remove the {activation} after {layer or 'the last layer'}."
    return Prescription("remove the activation", told, remove, changes_loss=True)
