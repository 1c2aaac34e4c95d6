"""Weights so small that the signal is gone before it reaches the output."""

import math
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.initial_weights import initial_weights
from osler.doctor.initialising_lines import random_line
from osler.doctor.loss_left import has_learnt
from osler.structures.finding import Finding, Remedy

FAULT = Fault(
    name="init-too-small",
    category="model",
    phase="before",
    title="Weights start too small",
    symptom="The loss stands at that of guessing for long, or for ever; early gradients are minute.",
    cause=(
        "Where each layer multiplies the spread of its input by much less than 1, outputs of a deep network are all alike at the "
        "start, and gradients shrink by the same factors on their way back."
    ),
    seen_by="weights a small share as spread as He's rule for their fan-in in most layers, and outputs whose spread from sample to "
    "sample falls by orders of magnitude over the layers",
    remedies=(
        Remedy(
            "scaled initialisation", "Use nn.init.kaiming_normal_ (ReLU) or nn.init.xavier_uniform_ (tanh, sigmoid)."
        ),
        Remedy("leave PyTorch's", "Remove the initialisation: PyTorch's own fits the fan-in."),
        Remedy("normalise", "Put batch norm between the layers, which makes their scale matter little."),
    ),
    sources=(
        "He et al. 2015, section 2.2, figure 3: Xavier in 30 layers stalls",
        "Glorot, Bengio 2010, section 4.2",
        "Amazon SageMaker Debugger, PoorWeightInitialization",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the spread of weights at the start, and at what is left of the signal."""
    for model in case.models:
        weights = initial_weights(case, model)
        hidden = weights[:-1]
        small = [w for w in hidden if 0 < w.against_he < thresholds.SMALL_WEIGHTS and w.gain < thresholds.SMALL_GAIN]
        if (
            model.loaded
            or len(small) < max(1, thresholds.SHARE_OF_LAYERS * len(hidden))
            or any(w.normalised for w in small)
        ):
            continue
        left = math.prod(w.gain for w in weights)
        if not left <= thresholds.SIGNAL_LEFT or has_learnt(case, thresholds.LEARNT_ANYWAY):
            continue
        worst = min(small, key=lambda w: w.against_he)
        line = random_line(case, worst.layer)
        yield FAULT.found(
            f"{len(small)} of {len(weights)} layers start too small: the weights of {worst.layer} have a standard deviation of "
            f"{worst.std:.2g}, where {worst.fan_in:,} inputs ask for about {worst.he:.2g}; of the differences between samples "
            f"{left:.1g} is left at the output",
            where=case.line(line, worst.layer) if line else case.where(None, worst.layer),
            certainty=0.92,
        )
