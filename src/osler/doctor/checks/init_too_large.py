"""Weights that blow the signal up from layer to layer at the start."""

import math
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.doctor.initial_weights import initial_weights
from osler.doctor.initialising_lines import random_line
from osler.doctor.loss_course import constant_loss, taught_loss
from osler.doctor.loss_left import has_learnt
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LossSeen, ModelSeen

FAULT = Fault(
    name="init-too-large",
    category="model",
    phase="before",
    title="Weights start too large",
    symptom="The first loss is many times what guessing costs; sigmoids saturate, sums overflow, training starts in chaos.",
    cause=(
        "A layer multiplies the spread of its input by about the standard deviation of its weights times the square root of its "
        "fan-in. Where that is well above 1 in each layer, the signal and its gradient grow by that factor with every layer."
    ),
    seen_by="weights many times as spread as He's rule for their fan-in, in layers whose outputs grow accordingly, or a first loss "
    "far above that of guessing",
    remedies=(
        Remedy(
            "scaled initialisation", "Use nn.init.kaiming_normal_ (ReLU) or nn.init.xavier_uniform_ (tanh, sigmoid)."
        ),
        Remedy("leave PyTorch's", "Remove the initialisation: PyTorch's own fits the fan-in."),
    ),
    sources=(
        "He et al. 2015, section 2.2: standard deviation sqrt(2 / fan-in)",
        "Glorot, Bengio 2010, section 4.2",
        "Braiek, Khomh 2023 (TheDeepChecker): weights against He, Glorot and LeCun; loss at the start against ln K",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the spread of weights at the start, and at what it does to the outputs."""
    learnt = has_learnt(case, thresholds.LEARNT_ANYWAY)
    for model in case.models:
        weights = [w for w in initial_weights(case, model) if not w.normalised]
        large = [w for w in weights if w.against_he > thresholds.LARGE_WEIGHTS]
        most = len(large) >= thresholds.SHARE_OF_LAYERS * len(weights)
        wild = _wild(case, model)
        if model.loaded or not large or not (most or wild) or (learnt and not (most and wild)):
            continue
        worst = max(large, key=lambda w: w.against_he)
        line = random_line(case, worst.layer)
        yield FAULT.found(
            f"{len(large)} of {len(weights)} layers start too large: the weights of {worst.layer} have a standard deviation of "
            f"{worst.std:.3g}, where {worst.fan_in:,} inputs ask for about {worst.he:.2g}; the layer multiplies "
            f"what goes in by about {worst.std * math.sqrt(worst.fan_in):.3g}{_start(case)}",
            severity="warning" if learnt else "critical",
            where=case.line(line, worst.layer) if line else case.where(None, worst.layer),
            certainty=0.93 if worst.against_he > 2 * thresholds.LARGE_WEIGHTS else 0.86,
        )


def _wild(case: Case, model: ModelSeen) -> bool:
    """Whether the first answers are far worse than guessing, or an activation is saturated from the start."""
    saturated = any(x.samples and x.samples[0].saturated > thresholds.SATURATED for x in case.layers(model))
    first, guess = _first_and_guess(case)
    return saturated or first > thresholds.WILD_START * guess


def _first_and_guess(case: Case) -> tuple[float, float]:
    """The first loss and what guessing costs; of a loss with parts those of the part that begins worst, each by itself."""
    parts = _parts(case)
    if len(parts) > 1:
        return max(parts, key=lambda part: part[0] / part[1])
    first = float(case.loss_curve[0, 1]) if len(case.loss_curve) else math.nan
    if case.classifies:
        return first, math.log(max(2, case.class_count))
    taught = taught_loss(case)
    return first, taught.constant if taught is not None else math.nan


def _parts(case: Case) -> list[tuple[float, float]]:
    """First value and cost of guessing of each loss function that taught, of those that are means."""
    found = []
    for loss in case.losses(*CLASS_LOSSES, *BINARY_LOSSES, *REGRESSION_LOSSES):
        first = next((s.value for s in loss.samples if s.moment == "train" and math.isfinite(s.value)), math.nan)
        guess = _guess(loss) if loss.options.get("reduction") != "sum" else math.nan
        found.append((first, guess if guess > 0 else math.inf))
    return found


def _guess(loss: LossSeen) -> float:
    """What equal scores for all classes cost; of numbers what the best constant answer does; NaN where that is not known."""
    if loss.function in CLASS_LOSSES:
        return math.log(max(2, *(s.input.shape[1] for s in loss.samples if len(s.input.shape) >= 2), 2))
    return math.log(2) if loss.function in BINARY_LOSSES else constant_loss(loss)


def _start(case: Case) -> str:
    """What the first loss was, beside guessing."""
    first, guess = _first_and_guess(case)
    which = "the first value of a part of the loss" if len(_parts(case)) > 1 else "the first loss"
    return f"; {which} is {first:.4g} where guessing costs {guess:.3g}" if first > 2 * guess else ""
