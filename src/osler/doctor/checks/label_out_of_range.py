"""Labels that the outputs, or the loss, know nothing of."""

from collections.abc import Iterator

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSeen

FAULT = Fault(
    name="label-out-of-range",
    category="data",
    phase="before",
    title="Class labels do not match the number of outputs",
    symptom="A crash 'Target 10 is out of bounds', or a loss that runs below zero while accuracy is nonsense.",
    cause=(
        "Labels that begin at 1, or -1 and 1 where a loss wants 0 and 1. Cross entropy looks up the score of "
        "a class that does not exist; "
        "binary cross entropy with a label of 2 is lowest at infinity, so everything is driven to one answer."
    ),
    seen_by=(
        "a label is negative or at least the number of outputs; or a binary cross entropy gets whole numbers "
        "other than 0 and 1"
    ),
    remedies=(
        Remedy("map the labels", "Make the labels 0 to K - 1, for a binary loss 0 and 1."),
        Remedy("fit the output", "Give the last layer as many outputs as there are classes."),
    ),
    sources=(
        "Humbatova et al. 2020, taxonomy: wrong labels",
        "PyTorch documentation: CrossEntropyLoss and BCEWithLogitsLoss, target",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the targets of losses for classes; where they made the loss crash, `crash` says so under this name."""
    for loss in case.losses(*BINARY_LOSSES):
        yield from _binary(case, loss)
    for loss in case.evidence.losses:
        if loss.function in CLASS_LOSSES:
            yield from _classes(case, loss)


def _binary(case: Case, loss: LossSeen) -> Iterator[Finding]:
    values = sorted(loss.targets)
    outside = [v for v in values if not 0 <= v <= 1]
    if not outside or len(values) > 10 or any(v != int(v) for v in outside):
        return
    total = sum(loss.targets.values())
    share = sum(loss.targets[v] for v in outside) / total
    lowest = min((s.value for s in loss.samples), default=0.0)
    below = f"; the loss went down to {lowest:.3g}, which no right one can" if lowest < 0 else ""
    shift = f" - {values[0]:g}" if values[0] > 0 else ""
    yield FAULT.found(
        f"{loss.function} wants labels of 0 and 1, but was given {', '.join(f'{v:g}' for v in values[:5])}: "
        f"{share:.0%} of {total:,} are outside{below}",
        where=case.where(loss.site, _last_layer(loss)),
        certainty=0.98,
        change=f"Give the loss labels of 0 and 1{': subtract ' + f'{values[0]:g}' if shift else ', such as (label > 0).float()'}.",
    )


def _classes(case: Case, loss: LossSeen) -> Iterator[Finding]:
    """Labels below 0 or over the last class in one and the same call; the loss's own `ignore_index` is let be."""
    ignored = loss.options.get("ignore_index", -100)
    for sample in loss.samples:
        target = sample.target
        if target is None or not loss.target_is_integer or len(sample.input.shape) < 2:
            continue
        width = sample.input.shape[1]
        outside = [v for v in (target.low, target.high) if (v < 0 or v >= width) and v != ignored]
        if outside:
            yield FAULT.found(
                f"the network has {width} outputs, but labels of one batch go from {target.low:g} to {target.high:g}",
                where=case.where(loss.site, _last_layer(loss)),
                certainty=0.98,
            )
            return


def _last_layer(loss: LossSeen) -> str | None:
    return next((p.layer for p in loss.made_by if p.layer), None)
