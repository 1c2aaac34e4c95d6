"""A sigmoid in the place of a softmax over one unit, or a unit for each class."""

from collections.abc import Iterator

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.mending.layer_edit import set_width
from osler.doctor.mending.loss_edit import change_loss, change_targets, exchange_operation, same_losses, ways
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding
from osler.vitals.evidence import LossSeen

CHOICE = "output"


@prescribes("softmax-over-one-unit")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A sigmoid where the loss wants a probability, nothing where it takes scores; two units where classes are compared."""
    loss = case.losses()[0]
    one = _one_unit(case, loss)
    yield from reversed(list(one)) if _compares_classes(case) else one


def _one_unit(case: Case, loss: LossSeen) -> Iterator[Prescription]:
    def squash(edit: ScriptEdit) -> None:
        _exchange(
            edit, case, loss, None if loss.function == "binary_cross_entropy_with_logits" else ("sigmoid", "Sigmoid()")
        )
        if loss.function in CLASS_LOSSES:
            change_loss(edit, loss.function, "binary_cross_entropy")
            change_targets(edit, case, same_losses(case, loss), "{}.float()")

    def two(edit: ScriptEdit) -> None:
        way = ways(case, loss)
        if way is None or way.last.layer is None:
            raise CannotEditError("The last layer is not known.")
        _exchange(edit, case, loss, None)
        set_width(edit, case, way.last.layer, "out_features", 1, 2)
        if loss.function != "cross_entropy":
            change_loss(edit, loss.function, "cross_entropy")
        if loss.function in BINARY_LOSSES or not loss.target_is_integer:
            change_targets(edit, case, same_losses(case, loss), "{}.flatten().long()")

    yield Prescription(
        "use a sigmoid", "Use a sigmoid in the place of the softmax.", squash, choice=CHOICE, changes_loss=True
    )
    yield Prescription(
        "use two units", "Give the last layer two units, and use cross_entropy.", two, choice=CHOICE, changes_loss=True
    )


def _exchange(edit: ScriptEdit, case: Case, loss: LossSeen, new: tuple[str, str] | None) -> None:
    way = ways(case, loss)
    for producer in way.operations if way is not None else ():
        if producer.operation.startswith(("Softmax", "LogSoftmax", "SafeSoftmax")) and way is not None:
            exchange_operation(edit, case, producer, way.last.layer, new)
            return
    raise CannotEditError("The softmax is not found.")


def _compares_classes(case: Case) -> bool:
    """Whether the program takes the largest of several scores."""
    return bool(case.script.calls_of("argmax", "topk")) and not any(
        t in case.script.source for t in ("> 0.5", ">0.5", ">= 0.5", ".round()")
    )
