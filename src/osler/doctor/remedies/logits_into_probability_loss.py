"""The loss that takes scores in the place of the one that takes probabilities; or the scores normalised."""

import re
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.layer_places import LOSS_MODULES
from osler.doctor.mending.layer_edit import model_with, put_behind, unwrap
from osler.doctor.mending.loss_edit import change_loss, exchange_operation, loss_call, squash_output, ways
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding
from osler.vitals.evidence import LossSeen

CHOICE = "loss and output"
TAKES_SCORES = {"nll_loss": "cross_entropy", "binary_cross_entropy": "binary_cross_entropy_with_logits"}
HALF = re.compile(r"[<>]=?\s*0?\.5\b|\.round\(|torch\.round\(")


@prescribes("logits-into-probability-loss")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """By the loss: another one, or a sigmoid or log-softmax before it; where scores are cut off, a sigmoid for the cut."""
    losses = case.losses("nll_loss", "kl_div", "binary_cross_entropy") or [
        x for x in case.evidence.losses if x.function in TAKES_SCORES
    ]
    function = losses[0].function if losses else _named(case)
    if function is None:
        yield from _of_its_own(finding, case)
        return
    offers = [*_other_loss(case, function), *_normalised(case, function, losses[0] if losses else None)]
    if function == "binary_cross_entropy" and HALF.search(case.script.source) and "sigmoid(" not in case.script.source:
        offers.reverse()  # its answers are read as probabilities
    yield from [*_logarithm(case, losses[0]), *offers] if losses else offers


def _named(case: Case) -> str | None:
    """The loss that the program names; None where it names none."""
    named = {f for f in TAKES_SCORES if case.script.calls_of(f, LOSS_MODULES[f])}
    return named.pop() if len(named) == 1 else None


def _offer(remedy: str, told: str, change: Edit) -> Prescription:
    return Prescription(remedy, told, change, choice=CHOICE, changes_loss=True)


def _other_loss(case: Case, function: str) -> Iterator[Prescription]:
    new = TAKES_SCORES.get(function)
    if new is None:
        return

    def change(edit: ScriptEdit) -> None:
        change_loss(edit, function, new)
        for _, call in edit.all_calls("clamp", "clip"):
            if re.search(r"\(.*\b0(\.0)?\s*,\s*1(\.0)?\)|1e-", edit.code(call)):
                unwrap(edit, call)

    yield _offer("use the loss for scores", f"Use {new} in place of {function}.", change)


def _normalised(case: Case, function: str, loss: LossSeen | None) -> Iterator[Prescription]:
    """A sigmoid behind the last layer, or a log-softmax around what the loss is given."""

    def sigmoid(edit: ScriptEdit) -> None:
        way = ways(case, loss) if loss is not None else None
        cut = [p for p in way.operations if p.operation.startswith("Clamp")] if way is not None else []
        if cut and way is not None:
            exchange_operation(edit, case, cut[0], way.last.layer, ("sigmoid", "Sigmoid()"))
            return
        put_behind(edit, case, _last_layer(case, loss), "Sigmoid()", "sigmoid")

    def log_softmax(edit: ScriptEdit) -> None:
        if loss is None:
            raise CannotEditError("The call of the loss is not found.")
        edit.wrap(edit.at(loss_call(case, loss).node.args[0]), "torch.log_softmax({}, dim=1)")

    if function == "binary_cross_entropy":
        yield _offer("normalise before the loss", "Put a sigmoid after the last layer.", sigmoid)
    else:
        yield _offer("normalise before the loss", f"Take log_softmax of the scores before {function}.", log_softmax)


def _logarithm(case: Case, loss: LossSeen) -> Iterator[Prescription]:
    """Where a softmax without its logarithm reaches a loss of logarithms."""
    way = ways(case, loss)
    if way is None or loss.function not in ("nll_loss", "kl_div"):
        return
    softmax = next((p for p in way.operations if p.operation.startswith(("Softmax", "SafeSoftmax"))), None)
    if softmax is not None:
        yield _offer(
            "normalise before the loss", "Use log_softmax in place of softmax.",
            lambda e: exchange_operation(e, case, softmax, way.last.layer, ("log_softmax", "LogSoftmax(dim=1)")),
        )  # fmt: skip


def _last_layer(case: Case, loss: LossSeen | None) -> str:
    """The layer whose output the loss is given; of a program that stopped before that the last one that ran."""
    way = ways(case, loss) if loss is not None else None
    if way is not None and way.last.layer is not None:
        return way.last.layer
    for model in case.evidence.models[:1]:
        ran = [x for x in model.layers.values() if x.parameters and x.leaf]
        if ran:
            return max(ran, key=lambda x: (x.order is not None, x.order or 0)).name
    raise CannotEditError("The last layer is not known.")


def _of_its_own(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A loss that the program writes out takes logarithms of the last layer's output."""
    layer = finding.where.layer
    if layer is None:
        return
    _, seen = model_with(case, layer)
    width = seen.options.get("out_features", seen.output_shape[-1] if seen.output_shape else 1)
    yield _offer(
        "normalise before the loss", f"Put a {'sigmoid' if width == 1 else 'softmax'} after {layer}.",
        lambda e: squash_output(e, case, layer, int(width)),
    )  # fmt: skip
