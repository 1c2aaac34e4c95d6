"""An activation stands between the last layer and a loss for classes."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import WayOut, is_dropout, way_out, where_producer
from osler.structures.finding import Finding, Remedy, Severity
from osler.vitals.evidence import LossSeen, Producer

FAULT = Fault(
    name="activation-on-logits",
    category="model",
    phase="during",
    title="A ReLU (or similar) stands after the last layer",
    symptom="Learning is slow or stops, some classes are never predicted, the loss stays well above zero.",
    cause=(
        "Scores of classes must be free to be negative and large. A ReLU makes all negative ones 0, through which no gradient "
        "passes: a class whose score is negative for every sample can never come back. Sigmoid and tanh hold all scores "
        "within 1 of each other, so that even a sure answer looks unsure to the softmax."
    ),
    seen_by="the last operation before the loss (softmax and sigmoid of the loss itself left out) is an activation of scores",
    remedies=(
        Remedy("remove the activation", "Return the last layer's output as it is."),
        Remedy("add a layer", "If it was meant as a hidden layer's activation, put another linear layer after it."),
    ),
    sources=(
        "Wrong activation on the last layer: theorangeduck, 'My Neural Network isn't working! What should I do?', and "
        "StackOverflow cases 38, 57, 86 of the published collections",
        "UMLAUT (Schoop, Huang, Hartmann 2021), heuristic on a non-linear last activation before the softmax",
    ),
)  # fmt: skip

CUTTING = {
    "Relu": "ReLU",
    "Threshold": "ReLU",
    "ClampMin": "clamp",
    "Hardtanh": "hardtanh",
    "Relu6": "ReLU6",
    "HardtanhRelu": "ReLU6",
}
BOUNDING = {
    "Softmax": "second softmax",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Hardsigmoid": "hardsigmoid",
    "Softsign": "softsign",
}
BENDING = {
    "LeakyRelu": "leaky ReLU", "Elu": "ELU", "Gelu": "GELU", "Silu": "SiLU", "Mish": "Mish", "Softplus": "softplus", "Celu": "CELU",
    "Hardswish": "hardswish", "Prelu": "PReLU", "PreluKernel": "PReLU", "RreluWithNoise": "RReLU",
}  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the way from the last layer to each loss for classes."""
    for loss in case.losses(*CLASS_LOSSES, *BINARY_LOSSES):
        way = way_out(case, loss.made_by)
        if way is None:
            continue
        passed = _before_the_losss_own(case, loss, way)
        if len(passed) == 1 and (found := _judge(loss, _name(passed[0]))) is not None:
            name, severity, certainty, harm = found
            yield FAULT.found(
                f"{name} is applied to the scores of {way.last.layer or 'the last layer'} before {loss.function}: {harm}",
                severity=severity,
                where=where_producer(case, passed[0], way.last.layer),
                certainty=certainty,
                change=f"Remove the {name} after {way.last.layer or 'the last layer'}.",
            )


def _before_the_losss_own(case: Case, loss: LossSeen, way: WayOut) -> list[Producer]:
    """What stands after the last layer, without dropout and without the step that the loss wants."""
    passed = [p for p in way.operations if not is_dropout(case, p)]
    if loss.function == "nll_loss":
        if passed and _name(passed[0]) in ("Log", "Clamp"):
            passed = [p for p in passed if _name(p) not in ("Log", "Clamp", "Add")]
            wanted: tuple[str, ...] = ("Softmax",)
        else:
            wanted = ("LogSoftmax", "LogSigmoid")
    elif loss.function == "binary_cross_entropy":
        passed = [p for p in passed if _name(p) != "Clamp"]
        wanted = ("Sigmoid", "Softmax")
    else:
        wanted = ("LogSoftmax",)  # idle before cross entropy
    return passed[1:] if passed and _name(passed[0]) in wanted else passed


def _name(producer: Producer) -> str:
    return producer.operation.rpartition("::")[2].partition("Backward")[0]


def _judge(loss: LossSeen, operation: str) -> tuple[str, Severity, float, str] | None:
    """The activation's name, how grave it is, how sure we are and what it does."""
    samples = [s for s in loss.samples if s.moment == "train" and s.input.count]
    classes = samples[0].input.shape[1] if samples and len(samples[0].input.shape) > 1 else 2
    cut = operation == "Clamp" and bool(samples) and min(s.input.low for s in samples) == 0
    if operation in CUTTING or (cut and max(s.input.zeros for s in samples) > thresholds.CUT):
        zeros = max((s.input.zeros for s in samples), default=0.0)
        if loss.function in ("cross_entropy", "binary_cross_entropy_with_logits"):
            return (
                CUTTING.get(operation, "clamp"),
                "critical",
                0.95,
                f"up to {zeros:.0%} of them were cut to 0 and gave no gradient",
            )
        return CUTTING.get(operation, "clamp"), "critical", 0.95, "negative scores are cut to 0 and give no gradient"
    if operation == "Softmax" and loss.function == "cross_entropy":
        return None  # softmax-before-cross-entropy
    if operation in BOUNDING and loss.function in CLASS_LOSSES:
        reach = 2.0 if operation in ("Tanh", "Softsign") else 1.0
        floor = thresholds.bounded_floor(classes, reach)
        return (
            BOUNDING[operation],
            "critical",
            0.93,
            (
                f"no score is more than {reach:g} above another, so that with {classes} classes the loss cannot fall below "
                f"{floor:.2f}"
            ),
        )
    if operation == "Sigmoid" and loss.function == "binary_cross_entropy":
        return "second sigmoid", "critical", 0.95, "the probability can only be between 0.5 and 0.73"
    if operation in ("Tanh", "Softsign", "Hardsigmoid") and loss.function in BINARY_LOSSES:
        return BOUNDING[operation], "warning", 0.85, "the probability can only be between 0.27 and 0.73"
    if operation in BENDING:
        return BENDING[operation], "note", 0.6, "scores below 0 are pressed together"
    return None
