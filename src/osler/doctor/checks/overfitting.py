"""Training improves while validation gets worse, or stays far behind."""

import math
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.doctor.loss_course import course, taught_loss, why_not_plain
from osler.doctor.performance import Curve, evaluation_accuracy, evaluation_loss, training_accuracy, training_loss
from osler.doctor.training_loop import epochs_line
from osler.structures.finding import Finding, Remedy, Series, Where
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="overfitting",
    category="evaluation",
    phase="after",
    title="The network overfits",
    symptom=(
        "The training loss goes on falling, and the validation loss turns and rises; or training is perfect and "
        "validation far below."
    ),
    cause=(
        "The network has learnt its training samples rather than what they have in common. It has more freedom, or "
        "more "
        "epochs, than the number of samples can hold: few samples, no dropout, no weight decay, no augmentation, no "
        "early stop."
    ),
    seen_by=(
        "a validation loss at least a quarter above its lowest, more than three times its usual jitter (a tenth if "
        "it is five times the training loss and rises smoothly), with a training loss "
        "that fell meanwhile; or an accuracy on training data above 90 % and on others lower by 15 points, beyond the "
        "sampling error of both"
    ),
    remedies=(
        Remedy(
            "stop earlier",
            "Keep the weights of the epoch with the lowest validation loss, and stop a few epochs after it.",
        ),
        Remedy("regularise", "Use dropout, weight decay or augmentation."),
        Remedy("use more data", "Train on more samples, or with fewer weights."),
    ),
    sources=(
        "Google tuning playbook: a rising validation error is problematic overfitting",
        "Zhang et al. 2021 (AutoTrainer): a gap in accuracy of 0.1; SageMaker Debugger: a ratio of losses of 0.1",
        "Prechelt 1998, Early stopping, but when?: generalisation loss in per cent of the lowest validation loss",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Compares training with validation, over time and at the end. Needs both."""
    if why := why_not_plain(case):
        raise NotSeen(why)
    model = case.models[0]
    rising = _rising(case, model)
    gap = _gap(model, case)
    if rising is None and gap is None:
        return
    parts = [text for text in (rising and rising[0], gap and gap[0]) if text]
    strength = (rising is not None) + (gap is not None and gap[1] > thresholds.GAP)
    if strength == 0:
        return
    yield FAULT.found(
        "; ".join(parts),
        severity="warning",
        where=_where(case, model),
        certainty=0.55 + 0.1 * strength,
        change=_change(case, model),
        series=rising[1] if rising else (),
    )


def _rising(case: Case, model: ModelSeen) -> tuple[str, tuple[Series, ...]] | None:
    """That the validation loss turned while the training loss went on falling."""
    seen = evaluation_loss(case, model)
    if seen is None or len(seen.values) < thresholds.PASSES_LEAST:
        return None
    training = training_loss(case, model, seen.steps)
    if training is None or len(training.values) < 3:
        return None
    values = seen.values
    best = int(np.argmin(values))
    after = values[best:]
    end = float(np.mean(values[-max(2, len(values) // 5) :]))
    rise, jitter = end - values[best], float(np.median(np.abs(np.diff(after)))) if len(after) > 1 else math.inf
    then = _at(training, seen.steps[best])
    late = float(np.nanmean(training.values[-max(2, len(training.values) // 5) :]))
    if len(after) <= thresholds.CHECKS_RISING or not late < thresholds.STILL_FALLING * then:
        return None
    surely = rise >= max(thresholds.RISE * abs(values[best]), thresholds.RISE_JITTERS * jitter)
    smoothly = rise >= max(thresholds.RISE_SMOOTH * abs(values[best]), thresholds.RISE_SMOOTH_JITTERS * jitter)
    if not (surely or (smoothly and end > thresholds.FAR_BEHIND * late)) or not _matters(case, rise, end):
        return None
    text = (
        f"the validation loss was lowest, {values[best]:.3g}, after {int(seen.steps[best]):,} updates and is "
        f"{end:.3g} at the end "
        f"({rise / abs(values[best]):+.0%}), while the training loss went from {then:.3g} to {late:.3g}"
    )
    return text, (training.series("training loss"), seen.series("validation loss"))


def _matters(case: Case, rise: float, end: float) -> bool:
    """Whether a rise is large beside what is at stake: ln K for classes, for numbers the loss without learning."""
    if case.classifies:
        return rise >= thresholds.RISE_NATS * math.log(_classes(case))
    taught = taught_loss(case)
    base = taught.constant if taught is not None else math.nan
    if math.isnan(base):
        base = course(case).first
    return end >= thresholds.LOSS_MATTERS * base


def _classes(case: Case) -> int:
    try:
        return max(2, case.class_count)
    except NotSeen:
        return 2


def _at(curve: Curve, step: float) -> float:
    """A curve around a step."""
    near = np.argsort(np.abs(curve.steps - step))[:2]
    return float(np.nanmean(curve.values[near]))


def _gap(model: ModelSeen, case: Case) -> tuple[str, float] | None:
    """That accuracy on training data is high and on others far lower, beyond sampling error; and how far."""
    train, other = training_accuracy(case, model), evaluation_accuracy(case, model)
    if train is None or other is None or ("printed" in (train.source, other.source) and train.source != other.source):
        return None
    if train.value - _trivial(model) < 0.5 * (1 - _trivial(model)):
        return None  # hardly better than always the most frequent class
    gap, error = train.value - other.value, math.sqrt(train.variance + other.variance)
    if train.value < thresholds.TRAINED_WELL or gap < max(thresholds.GAP_LEAST, thresholds.GAP_ERRORS * error):
        return None
    text = f"accuracy at the end is {train.value:.1%} on training data ({train.source}) and {other.value:.1%} on others"
    return text, gap


def _trivial(model: ModelSeen) -> float:
    """The share of the most frequent class in training."""
    labels = model.last_training.labelled if model.last_training is not None else None
    return max(labels.values()) / labels.total() if labels else 0.0


def _where(case: Case, model: ModelSeen) -> Where:
    """The line that says how long to train, and a dropout layer that is switched off if there is one."""
    idle = next((x.name for x in model.layers.values() if "Dropout" in x.kind and x.options.get("p") == 0), None)
    return case.line(epochs_line(case), idle)


def _change(case: Case, model: ModelSeen) -> str:
    seen = evaluation_loss(case, model)
    if seen is not None and len(seen.values) >= thresholds.PASSES_LEAST:
        step = int(seen.steps[int(np.argmin(seen.values))])
        return (
            f"Stop after about {step:,} of the {case.evidence.steps:,} updates, where the validation loss is lowest, and "
            "regularise: dropout, weight decay or augmentation."
        )
    decays = any(group.get("weight_decay") for o in case.evidence.optimizers for group in o.options)
    more = "" if decays else " and weight decay (AdamW, 0.01)"
    return (
        f"Train on more samples; else use dropout{more} or augmentation, and stop once validation no longer improves."
    )
