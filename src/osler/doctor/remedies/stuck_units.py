"""Units that no longer learn, dead behind ReLU or saturated in a sigmoid: biases, first weights, slopes, norms, smaller steps."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.initial_weights import initial_weights
from osler.doctor.mending.activation_edit import exchange, hidden
from osler.doctor.mending.initial_edit import give_rule
from osler.doctor.mending.initial_setters import set_by, sets_bias, setters
from osler.doctor.mending.number_edit import third
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.rate_edit import most_used, scale_rates
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.remedies.gradients import he_for_all, model_of, normalised
from osler.structures.finding import Finding
from osler.vitals.activations import RELU_FAMILY, SIGMOIDS, TANHS
from osler.vitals.evidence import LayerSeen, ModelSeen

CHOICE = "units"


@prescribes("dead-relu")
def revive(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Biases at 0 where they push units down; a slope below zero, He's rule, norms, and a lower rate, by when units died."""
    model = model_of(finding, case)
    relus = hidden(case, model, RELU_FAMILY) or [x for x in case.layers(model) if x.kind in RELU_FAMILY]
    from_start = any(x.samples and x.samples[0].silent > thresholds.DEAD_UNITS for x in relus)
    if from_start and "the bias of" in finding.evidence:
        yield Prescription(
            "start anew", "Start the biases at 0.", lambda e: _biases_at_zero(e, case, model), choice="biases"
        )
    leaky = Prescription(
        "leaky activation", "Use LeakyReLU in place of ReLU: its slope below zero is not 0.",
        lambda e: exchange(e, case, model, relus, "leaky_relu"), choice=CHOICE,
    )  # fmt: skip
    if from_start:
        yield from (_he(case, model), leaky, normalised(case, model, CHOICE))
    yield from slower(case)
    if not from_start:
        yield from (leaky, normalised(case, model, CHOICE))


def _biases_at_zero(edit: ScriptEdit, case: Case, model: ModelSeen) -> None:
    """Zeros where the program sets biases below zero; a shift on top of a start is taken out."""
    found = [
        s
        for s in setters(case)
        if sets_bias(s) and any(p.start.mean < 0 or len(p.shape) > 1 for p in set_by(case, model, s))
    ]
    for setter in found:
        if setter.way == "made":
            raise CannotEditError("The program makes the biases itself.")
        give_rule(edit, case, model, setter, "zeros_")
    if not found:
        raise CannotEditError("The program sets no biases.")


def _he(case: Case, model: ModelSeen) -> Prescription:
    return Prescription(
        "start anew", "Start the weights by He's rule.", lambda e: he_for_all(e, case, model), choice="initialisation"
    )


def slower(case: Case) -> Iterator[Prescription]:
    """A tenth of the rate."""
    optimizer = most_used(case)
    rate = max((rate for _, rate in optimizer.rates), default=0.0)
    if rate > 0:
        yield Prescription(
            "lower the rate", f"Set the learning rate to {third(rate * 0.1)} in place of {rate:g}.",
            lambda e: scale_rates(e, case, optimizer, 0.1), choice="learning rate",
        )  # fmt: skip


@prescribes("saturated-activation")
def unsaturate(finding: Finding, case: Case) -> Iterator[Prescription]:
    """From the start: first weights where they are too large, norms, ReLU; later: a lower rate first."""
    model = model_of(finding, case)
    layers = hidden(case, model, SIGMOIDS | TANHS)
    from_start = any(x.samples and x.samples[0].saturated > thresholds.SATURATED for x in layers)
    if not from_start:
        yield from slower(case)
    elif _large(case, model):
        yield Prescription(
            "scale what goes in", "Draw the first weights by Glorot's rule.",
            lambda e: _glorot(e, case, model), choice="initialisation",
        )  # fmt: skip
    yield normalised(case, model, CHOICE)
    yield _relu(case, model, layers)
    if from_start:
        yield from slower(case)


def _large(case: Case, model: ModelSeen) -> bool:
    return any(w.against_he > thresholds.LARGE_WEIGHTS for w in initial_weights(case, model))


def _glorot(edit: ScriptEdit, case: Case, model: ModelSeen) -> None:
    found = [
        s
        for s in setters(case)
        if s.way != "constant" and not sets_bias(s) and any(len(p.shape) > 1 for p in set_by(case, model, s))
    ]
    for setter in found:
        give_rule(edit, case, model, setter, "xavier_uniform_")
    if not found:
        raise CannotEditError("The program draws no weights.")


def _relu(case: Case, model: ModelSeen, layers: list[LayerSeen]) -> Prescription:
    kind = layers[0].kind.lower() if layers else "sigmoid"
    return Prescription(
        "another activation", f"Use ReLU in place of {kind} in the hidden layers.",
        lambda e: exchange(e, case, model, layers, "relu"), choice=CHOICE,
    )  # fmt: skip
