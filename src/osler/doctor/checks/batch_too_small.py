"""Gradients of so few samples that their noise is larger than what they say."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.checks.batch_too_large import _data, _where
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import course, rates_are_searched, taught_loss, why_not_plain
from osler.doctor.update_sizes import update_ratios
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="batch-too-small",
    category="optimisation",
    phase="during",
    title="Batch is too small",
    symptom="The loss jumps from update to update and does not settle; batch norm makes it worse.",
    cause=(
        "The gradient of one or a few samples is the true one plus noise whose spread falls with the root of the "
        "batch size. With tiny batches and "
        "a usual rate, what one update learns the next one undoes."
    ),
    seen_by=(
        "at most four samples a batch, losses that scatter about as widely as they are high, and a mean that has stopped "
        "falling high up"
    ),
    remedies=(
        Remedy("make the batch larger", "Use 16 to 64 samples a batch."),
        Remedy("accumulate", "Add up the gradients of several batches before a step where memory is short."),
        Remedy("lower the rate", "Divide the rate by as much as the batch is smaller than usual."),
    ),
    sources=(
        "McCandlish et al. 2018, An empirical model of large-batch training, section 2.2: gradient noise scale",
        "Karpathy, cs231n, Neural networks 3: the wiggle of the loss belongs to the batch size",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the batch size, the scatter of the loss and where its mean stopped."""
    if (
        why_not_plain(case)
        or rates_are_searched(case)
        or not case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)
    ):
        return
    samples, size, loader = _data(case)
    size = size or _called_with(case)
    optimizer = case.optimizers[0]
    backwards = case.evidence.event_counts["B"]
    if (
        not 0 < size <= thresholds.TINY_BATCH
        or optimizer.steps < thresholds.TINY_BATCH_STEPS
        or backwards > 1.5 * optimizer.steps
    ):
        return
    if samples and samples < 8 * size:
        return
    loss, taught = course(case), taught_loss(case)
    reference = taught.constant if taught is not None and taught.constant > 0 else loss.start
    end = taught.late if taught is not None and taught.constant > 0 else loss.end
    sizes = update_ratios(case, optimizer)
    spans = ((0, thresholds.TINY_BATCH_STEPS), (optimizer.steps / 2, optimizer.steps))
    moves = [[r.middle for r in sizes if begin <= r.step <= end] for begin, end in spans]
    moved = max((float(np.median(each)) for each in moves if each), default=0.0)
    large = moved > thresholds.NOISY_UPDATE
    scatter = loss.noise / abs(loss.end) if loss.end else 0.0
    norms = [layer for m in case.models for layer in case.layers(m) if layer.kind.startswith("BatchNorm")]
    slope, strength = loss.change(0.5, 1.0)
    standing = strength > -3 or -slope < 0.1 * abs(loss.end)
    wild = size <= 2 and scatter > thresholds.WILD_SCATTER and end > thresholds.WILD_LEFT * reference
    if (
        not (end > thresholds.TINY_BATCH_LEFT * reference or wild)
        or not standing
        or not (large or (norms and size <= 2))
    ):
        return
    if scatter < thresholds.SCATTER and not norms and end < thresholds.NO_BETTER_THAN_CONSTANT * reference:
        return
    norm = f", and {len(norms)} batch norm layers take their statistics from them" if norms else ""
    yield FAULT.found(
        f"a batch holds {size} samples{norm}; losses scatter by {scatter:.0%} around their mean, updates change the weights by "
        f"{moved:.1e} each, and the mean stays at {end:.3g}, where a constant answer gives {reference:.3g}",
        severity="warning",
        where=_where(case, loader),
        certainty=0.7,
        change="Use 16 to 64 samples a batch.",
        series=case.loss_series(),
    )


def _called_with(case: Case) -> int:
    calls = [c for c in case.models[0].calls if c.moment == "train" and c.inputs and c.inputs[0].shape]
    return int(np.median([c.inputs[0].shape[0] for c in calls])) if calls else 0
