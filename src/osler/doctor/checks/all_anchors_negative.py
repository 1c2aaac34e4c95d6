"""Matching that calls every anchor background."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.anchor_fit import fit_of
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSeen

FAULT = Fault(
    name="all-anchors-negative",
    category="data",
    phase="during",
    title="No anchor is positive",
    symptom="The loss falls quickly to nearly 0, and the detector finds nothing, with a score near 0 everywhere.",
    cause=(
        "No object is given to any anchor or cell: the IoU from which on an anchor is positive is never reached, boxes and anchors "
        "are in other units or of other sizes, or objects lie outside the grid. All that is taught is background."
    ),
    seen_by=(
        "over all training calls the targets of the losses over places have one single value although there are objects, "
        "and other losses, those of boxes, were given nothing; or the best anchor of every object stays under the detector's "
        "own threshold"
    ),
    remedies=(
        Remedy(
            "bring boxes and anchors together",
            "Print the greatest IoU of each object with the anchors: both must be corners in pixels, and of like sizes.",
        ),
        Remedy(
            "give each object its best anchor",
            "Make the anchor that overlaps an object most positive, however little that is.",
        ),
        Remedy("lower the threshold", "Call anchors positive from an IoU of 0.5 on."),
    ),
    sources=(
        "Ren et al. 2015, Faster R-CNN, section 3.1.2: the best anchor of each object is positive as well",
        "Liu et al. 2016, SSD, section 2.2: each object is first matched to its best default box",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at what the losses over places were given, and at what the detector's own rule can reach."""
    objects = case.objects
    held = [p for p in objects.train.pictures if len(p.boxes)]
    counted = int(objects.train.counted.sum())
    if not counted:
        return
    if (constant := _constant(case, len(objects.train.pictures))) is not None:
        loss, value, total = constant
        yield FAULT.found(
            f"in {len(held):,} pictures with {counted:,} objects all {total:,} targets of {loss.function} counted are "
            f"{value:g}, and no other loss was given anything: no anchor or cell was made positive",
            where=case.where(loss.site),
            certainty=0.95,
        )
        return
    strict = [a for a in objects.seen.anchors if a.positive is not None and not a.low_quality]
    if not strict or not objects.readable:
        return
    fit = fit_of(objects)
    if fit is not None and fit.best < min(a.positive or 0.0 for a in strict):
        yield FAULT.found(
            f"no anchor can be positive: of {len(fit.sizes):,} objects the best overlaps an anchor by an IoU of {fit.best:.2f}, "
            f"under the {min(a.positive or 0.0 for a in strict):g} that the detector asks for",
            where=case.where(),
            certainty=0.95,
        )


def _constant(case: Case, pictures: int) -> tuple[LossSeen, float, int] | None:
    """The loss over places whose targets are all the same, where no other loss was given anything."""
    over_places, starved = None, False
    own = case.losses("own")  # a sum, perhaps with a loss on positives that is written out and cannot be seen
    for loss in case.losses():
        if loss in own:
            continue
        samples = [s for s in loss.samples if s.moment == "train"]
        given = [s for s in samples if s.input.count]
        if not given:
            starved = starved or bool(samples)
            continue
        ignored = {float(loss.options.get("ignore_index", -100))} if loss.function in CLASS_LOSSES else set()
        values = {v: n for v, n in loss.targets.items() if v not in ignored}
        places = min(s.target.count if s.target is not None else 0 for s in given)
        dense = places >= thresholds.PLACES_A_PICTURE * max(1, pictures // max(1, len(samples)))
        if loss.function not in (*CLASS_LOSSES, *BINARY_LOSSES) or len(values) != 1 or not dense:
            return None
        if len(given) >= thresholds.CALLS_ENOUGH:
            value, total = next(iter(values.items()))
            over_places = over_places or (loss, value, total)
    return over_places if starved or not own else None
