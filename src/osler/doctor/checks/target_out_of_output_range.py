"""Targets lie where the last activation, or the loss, cannot get."""

from collections.abc import Iterator
from dataclasses import dataclass

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.own_losses import regression_losses
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSeen, Producer

FAULT = Fault(
    name="target-out-of-output-range",
    category="data",
    phase="before",
    title="The output cannot reach the targets",
    symptom="The loss stops at a height that no training lowers; part of the predictions stick to the end of a range.",
    cause=(
        "A ReLU puts out nothing below 0, a sigmoid nothing outside 0 to 1, a tanh nothing outside -1 to 1. Targets beyond are "
        "never reached, and where the activation is at its end it passes no gradient either."
    ),
    seen_by=(
        "the last operation before a regression's loss is such an activation, and over 2 % of the targets lie "
        "outside of its range; or a binary cross entropy gets targets outside of 0 to 1"
    ),
    remedies=(
        Remedy("remove the last activation", "Let a regression end in a linear layer."),
        Remedy(
            "scale the targets", "Bring the targets into the activation's range, and undo it where outputs are read."
        ),
    ),
    sources=(
        "Wardat et al. 2022 (DeepDiagnosis), range of the last activation",
        "Braiek and Khomh 2022 (TheDeepChecker), mapping of labels to outputs",
    ),
)


@dataclass(frozen=True)
class _Range:
    name: str
    low: float
    high: float
    slack: float


RANGES = {
    "Relu": _Range("ReLU", 0.0, float("inf"), 1e-6),
    "Sigmoid": _Range("sigmoid", 0.0, 1.0, 0.01),
    "Tanh": _Range("tanh", -1.0, 1.0, 0.05),
    "Softmax": _Range("softmax", 0.0, 1.0, 0.01),
    "Softplus": _Range("softplus", 0.0, float("inf"), 1e-6),
}
PASSING = (
    "View",
    "Squeeze",
    "Unsqueeze",
    "Reshape",
    "UnsafeView",
    "Transpose",
    "TBackward",
    "Select",
    "Slice",
    "Clone",
    "Alias",
    "Permute",
    "ToCopy",
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares the range of the last activation with the targets of every regression."""
    losses = [*regression_losses(case), *case.losses(*BINARY_LOSSES)]
    if not losses:
        raise NotSeen("no loss of a regression was seen")
    for loss in losses:
        if loss.function.startswith("binary"):
            yield from _binary(case, loss)
            continue
        maker = _last(loss.made_by)
        reach = next((r for start, r in RANGES.items() if maker and maker.operation.startswith(start)), None)
        if maker is None or reach is None:
            continue
        below, above, total = _outside(loss, reach.low - reach.slack, reach.high + reach.slack)
        if not total or (below + above) / total < thresholds.OUTSIDE_SHARE:
            continue
        low, high = min(loss.targets), max(loss.targets)
        yield FAULT.found(
            f"the outputs come from a {reach.name}, which reaches from {reach.low:g} to {reach.high:g}, but "
            f"{(below + above) / total:.0%} of {total:,} targets lie outside; targets go from {low:.3g} to {high:.3g}",
            where=case.where(maker.site or loss.site, maker.layer),
            certainty=0.96,
            change=f"Remove the {reach.name} behind the last layer, or scale the targets into its range.",
        )


def _last(made_by: list[Producer]) -> Producer | None:
    """The last operation that changes values."""
    return next((p for p in made_by if not p.operation.startswith(PASSING) or p.operation.startswith("Tanh")), None)


def _outside(loss: LossSeen, low: float, high: float) -> tuple[int, int, int]:
    below = sum(n for value, n in loss.targets.items() if value < low)
    above = sum(n for value, n in loss.targets.items() if value > high)
    return below, above, sum(loss.targets.values())


def _binary(case: Case, loss: LossSeen) -> Iterator[Finding]:
    """Measured targets, as pixels, outside of 0 to 1; a few whole numbers are labels and another fault."""
    below, above, total = _outside(loss, -1e-6, 1 + 1e-6)
    if not total or (below + above) / total < thresholds.OUTSIDE_SHARE or len(loss.targets) <= 10:
        return
    last = next((p.layer for p in loss.made_by if p.layer), None)
    yield FAULT.found(
        f"{loss.function} takes targets from 0 to 1, but {(below + above) / total:.0%} of {total:,} lie outside; they go from "
        f"{min(loss.targets):.3g} to {max(loss.targets):.3g}",
        where=case.where(loss.site, last),
        certainty=0.96,
        change="Scale the targets to 0 to 1, or use mse_loss.",
    )
