"""Dropout after the last layer drops the answers themselves."""

from collections.abc import Iterator

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import is_dropout, layer_seen, way_out, where_producer
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="dropout-on-output",
    category="model",
    phase="during",
    title="Dropout after the last layer",
    symptom="The training loss is noisy and stops high, while evaluation looks better than training.",
    cause=(
        "Dropout sets a share of what it is given to 0 and enlarges the rest. After the last layer these are the answers: the "
        "right class's score is thrown away in that share of the cases, and a predicted number becomes 0 or too large. The "
        "network is punished for what it cannot change."
    ),
    seen_by="a dropout with a rate above 0 stands between the last layer with weights and the loss",
    remedies=(
        Remedy("move the dropout", "Put it before the last layer, where there are many units to drop."),
        Remedy("remove the dropout", "Leave it out if the network does not overfit."),
    ),
    sources=(
        "Srivastava et al. 2014, section 4: dropout is described for visible and hidden units",
        "StackOverflow case 56 of the published collections",
    ),
)

POOLING = (
    "Mean",
    "AdaptiveAvgPool",
    "AvgPool",
    "Sum",
    "MaxPool",
    "AdaptiveMaxPool",
)  # over places: dropout of some is usual


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the way from the last layer to each loss."""
    for loss in case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES):
        way = way_out(case, loss.made_by)
        for place, producer in enumerate(way.operations if way else ()):
            above = way.operations[:place] if way else ()
            if way is None or not is_dropout(case, producer) or any(p.operation.startswith(POOLING) for p in above):
                continue
            layer = layer_seen(case, producer.layer)
            rate = layer.options.get("p") if layer else None
            share = f"{rate:.0%} of" if isinstance(rate, float) else "some of"
            name = way.last.layer or "the last layer"
            yield FAULT.found(
                f"dropout sets {share} the outputs of {name} to 0 before {loss.function}",
                where=where_producer(case, producer, way.last.layer),
                certainty=0.97,
                change=f"Put the dropout before {name}, or remove it.",
            )
            break
