"""Training makes no progress."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import course, rates_are_searched, taught_loss, taught_losses, why_not_plain
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="plateau",
    category="optimisation",
    phase="after",
    title="Training makes no progress",
    symptom="The loss stands still, at the height of a network that gives every sample the same answer, or just below.",
    cause=(
        "Nothing that the network could tell about its inputs gets into the loss: no gradient reaches the layers that "
        "could learn it, units are "
        "saturated or dead, steps are too short or too long, or inputs and targets have nothing to do with each other."
    ),
    seen_by="over the second half the loss does not change by more than 2 %, at 95 % or more of the best constant answer's",
    remedies=(
        Remedy(
            "overfit one batch",
            "Train on two samples until the loss is nearly 0; where that fails, the program is at fault, not the data.",
        ),
        Remedy("try other rates", "Ten times and a tenth of the rate; with saturating activations change these first."),
        Remedy("change the optimizer", "Use momentum or Adam where plain SGD stands on a flat place."),
    ),
    sources=(
        "Karpathy 2019, A recipe for training neural networks: input-independent baseline, overfit one batch",
        "Zhang et al. 2021 (AutoTrainer): largest gain below 0.01; Ben Braiek, Khomh 2022: below 5 % over five checks",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the loss of the second half with that of a constant answer."""
    if (
        why_not_plain(case)
        or rates_are_searched(case)
        or not case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)
    ):
        return
    loss, taught = course(case), taught_loss(case)
    if len(loss.values) < thresholds.PLATEAU_UPDATES or taught is None or not taught.constant > 0 or loss.end <= 0:
        return
    slope, strength = loss.change(0.4, 1.0)
    moved = abs(slope) / loss.end if abs(strength) > 3 else 0.0
    swinging = len(loss.tenths) and np.ptp(loss.tenths[4:]) > thresholds.PLATEAU_SWING * loss.end
    if (
        not thresholds.PLATEAU_LEFT < taught.left < thresholds.PLATEAU_HIGHEST
        or moved > thresholds.PLATEAU_CHANGE
        or swinging
    ):
        return
    if any(other.left < thresholds.PLATEAU_LEFT for other in taught_losses(case)):
        return  # one part of the loss is learnt, another may be meant not to be
    yield FAULT.found(
        f"over the last 60 % of {len(loss.values):,} updates the loss changed by {abs(slope) / loss.end:.1%}, and it stands at "
        f"{taught.late:.4g}; the same answer for every sample would give {taught.constant:.4g}",
        where=case.where(taught.loss.site),
        certainty=0.45,
        series=case.loss_series(),
    )
