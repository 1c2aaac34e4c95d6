"""The loss goes up and down without settling."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import course, rates_are_searched, taught_loss, why_not_plain
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="oscillating-loss",
    category="optimisation",
    phase="after",
    title="Loss oscillates",
    symptom="The loss swings from epoch to epoch, by far more than the choice of the batches explains.",
    cause=(
        "Steps overshoot: what is gained by one is lost by the next. The rate is too high for the slope or for so "
        "small a batch, momentum "
        "carries too far, or batches follow each other in an order that pulls one way and then the other."
    ),
    seen_by="means over windows of the second half swing by more than sampling explains, up and down, while the loss is still high",
    remedies=(
        Remedy("lower the rate", "Divide the rate by 3 to 10, or let it decay."),
        Remedy("make the batch larger", "Noise falls with the root of the batch size."),
        Remedy("shuffle", "Draw batches in a new order every epoch."),
    ),
    sources=(
        "Zhang et al. 2021 (AutoTrainer): accuracy swings by 0.03 or more in a fifth of the epochs",
        "Ben Braiek, Khomh 2022 (TheDeepChecker): smoothness of the loss below 0.5 over 50 iterations",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Measures swings between windows of the second half against the scatter within them, and those of the accuracy."""
    if (
        why_not_plain(case)
        or rates_are_searched(case)
        or not case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES)
    ):
        return
    finding = _of_the_loss(case) or _of_the_accuracy(case)
    if finding is not None:
        yield finding


def _of_the_loss(case: Case) -> Finding | None:
    loss, taught = course(case), taught_loss(case)
    late = loss.values[len(loss.values) // 2 :]
    if len(late) < thresholds.OSCILLATION_VALUES or loss.end <= 0 or loss.start <= 0:
        return None
    reference = taught.constant if taught is not None and taught.constant > 0 else loss.start
    mean = float(late.mean())
    if not mean > thresholds.OSCILLATION_LEFT * reference:
        return None
    swing, turns, excess = swings(late)
    spikes = float(np.mean(late > 3 * np.median(late)))
    wide = excess > thresholds.OSCILLATION_EXCESS and swing > thresholds.OSCILLATION_SWING * mean
    spiky = spikes > thresholds.OSCILLATION_SPIKES and late.max() > 2 * loss.start
    scatter = _scatter_of_samples(case, late)
    scattered = scatter > thresholds.OSCILLATION_SCATTER and mean > thresholds.OSCILLATION_SCATTER_LEFT * reference
    if not (wide and turns >= thresholds.OSCILLATION_TURNS) and not spiky and not scattered:
        return None
    why = (
        f"from update to update it scatters as if single samples' losses differed by {scatter:.1f} times their mean"
        if scattered and not wide
        else f"means over windows of it move by {swing:.2g} up and down, {excess:.1f} times what the scatter within them explains"
    )
    return FAULT.found(
        f"over the second half the loss swings between {np.quantile(late, 0.02):.3g} and "
        f"{np.quantile(late, 0.98):.3g} around a mean of "
        f"{mean:.3g}; {why}",
        severity="critical" if mean > thresholds.HARDLY_LEARNT * reference else "warning",
        where=case.where(case.losses()[0].site),
        certainty=0.5,
        series=case.loss_series(),
    )


def _scatter_of_samples(case: Case, late: np.ndarray) -> float:
    """The spread of batches' losses, as a share of their mean, times the root of the batch size: what it would be of single
    samples if batches differed by chance alone. 0 where classes are unequal or there are none: rare samples weigh much there."""
    losses = case.losses(*CLASS_LOSSES)
    if not losses or not losses[0].targets:
        return 0.0
    counts = np.array([n for v, n in losses[0].targets.items() if v >= 0])
    shares = counts / counts.sum()
    if len(shares) < 2 or -(shares @ np.log(shares)) < thresholds.OSCILLATION_EVEN * np.log(len(shares)):
        return 0.0
    sizes = [s.input.shape[0] for s in losses[0].samples if s.moment == "train" and s.input.shape]
    return float(late.std() / late.mean() * np.median(sizes) ** 0.5) if sizes and late.mean() > 0 else 0.0


def _of_the_accuracy(case: Case) -> Finding | None:
    """Validation accuracy that goes up and down again and again, by more than the number of samples explains."""
    passes = [a for a in case.evaluations(case.models[0]) if a.judged >= 50]
    late = passes[len(passes) // 2 :]
    if len(late) <= thresholds.ACCURACY_SWINGS:
        return None
    right = np.array([a.accuracy for a in late])
    error = max(0.25 / min(a.judged for a in late), 0.0) ** 0.5
    steps = np.diff(right)
    large = steps[np.abs(steps) > max(thresholds.ACCURACY_SWING, 4 * error)]
    turns = int(np.sum(np.sign(large[1:]) != np.sign(large[:-1]))) + 1 if len(large) else 0
    if turns < thresholds.ACCURACY_SWINGS:
        return None
    return FAULT.found(
        f"over the last {len(late)} validations the accuracy swings between {right.min():.1%} and {right.max():.1%}, "
        f"{turns} times up and "
        f"down; chance explains steps of {error:.1%}",
        severity="warning",
        where=case.where(case.losses()[0].site),
        certainty=0.5,
        series=case.loss_series(),
    )


def swings(values: np.ndarray, windows: int = 12) -> tuple[float, int, float]:
    """Spread of the means of windows around a parabola, how often they turn, and the spread as a multiple of what the
    scatter within windows gives to a mean."""
    parts = np.array_split(values, windows)
    means = np.array([part.mean() for part in parts])
    within = float(np.mean([part.std(ddof=1) / len(part) ** 0.5 for part in parts]))
    place = np.linspace(-0.5, 0.5, windows)
    rest = means - np.polyval(np.polyfit(place, means, 2), place)
    swing = float(rest.std(ddof=3))
    steps = np.sign(np.diff(rest))
    turns = int(np.sum(steps[1:] != steps[:-1]))
    return swing, turns, swing / within if within > 0 else 0.0
