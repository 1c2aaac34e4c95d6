"""Softmax over a single unit is always 1, whatever goes in."""

from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import layer_seen, way_out, where_producer
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSeen, Producer

FAULT = Fault(
    name="softmax-over-one-unit",
    category="model",
    phase="during",
    title="Softmax over a single unit",
    symptom="The output is 1 for every sample, the accuracy is the share of one class, and nothing is ever learnt.",
    cause=(
        "Softmax divides each score by the sum of all scores of its axis. Over one unit this is the number divided by itself: "
        "1, and 0 after the logarithm. Its slope is exactly 0, so that no gradient gets past it."
    ),
    seen_by="the softmax that made the output gave the same number, 1 (of log-softmax 0), at every step that was looked at",
    remedies=(
        Remedy(
            "use a sigmoid", "For yes or no, keep one unit and use binary_cross_entropy_with_logits on the plain score."
        ),
        Remedy("use two units", "Or give the last layer a unit for each class, and use cross_entropy."),
    ),
    sources=(
        "DeepLocalize (Wardat et al. 2021) and TheDeepChecker (Ben Braiek, Khomh 2022): StackOverflow cases 7, 9, 10",
        "Goodfellow, Bengio, Courville 2016, section 6.2.2.3: softmax over n values needs n of them",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at softmaxes on the way to a loss or to a network's output."""
    seen: set[str | None] = set()
    ways: list[tuple[LossSeen | None, list[Producer]]] = [(loss, loss.made_by) for loss in case.losses()]
    ways += [(None, model.outputs_of) for model in case.models]
    for loss, made_by in ways:
        way = way_out(case, made_by)
        if loss is not None and way is not None and (count := _written_out(way.operations, loss)):
            yield FAULT.found(
                f"exp(x) / sum(exp(x)) is taken over a single unit and gave 1 for all of {count:,} values looked at",
                where=case.where(None, way.last.layer) if way.last.layer else case.where(loss.site),
                certainty=0.95,
            )
        for producer in way.operations if way else ():
            if producer.layer in seen or not producer.operation.startswith(("Softmax", "LogSoftmax", "SafeSoftmax")):
                continue
            log = producer.operation.startswith("Log")
            count = _constant(case, producer, loss, 0.0 if log else 1.0)
            if count:
                seen.add(producer.layer)
                yield FAULT.found(
                    f"the {'log-' if log else ''}softmax before the output gave {0 if log else 1} for all of {count:,} values "
                    "looked at: it is taken over a single unit, and no gradient passes it",
                    where=where_producer(case, producer, way.last.layer if way else None),
                    certainty=0.99,
                )


def _written_out(operations: tuple[Producer, ...], loss: LossSeen) -> int:
    """How many values a softmax that the program writes out gave the loss, if all of them were 1."""
    names = {p.operation.partition("Backward")[0] for p in operations}
    given = [s.input for s in loss.samples if s.moment == "train"]
    if not {"Div", "Exp"} <= names or not given or any(abs(g.low - 1) > 1e-5 or abs(g.high - 1) > 1e-5 for g in given):
        return 0
    return sum(g.count for g in given)


def _constant(case: Case, producer: Producer, loss: LossSeen | None, value: float) -> int:
    """How many values the softmax gave, if all of them were that one."""
    layer = layer_seen(case, producer.layer)
    outputs = [s.output for s in layer.samples] if layer else []
    if not outputs and loss is not None:
        outputs = [s.input for s in loss.samples if s.moment == "train"]
    if not outputs or any(o.low != value or o.high != value or o.bad for o in outputs):
        return 0
    return sum(o.count for o in outputs)
