"""Sigmoid or tanh units that sit where their slope is nearly zero."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_left import has_learnt
from osler.structures.finding import Finding, Remedy, Series
from osler.vitals.activations import SIGMOIDS, TANHS
from osler.vitals.evidence import LayerSeen

FAULT = Fault(
    name="saturated-activation",
    category="optimisation",
    phase="during",
    title="Sigmoid or tanh units are saturated",
    symptom="Learning stops although the loss is high; outputs are nearly all 0 or 1, or -1 or 1.",
    cause=(
        "Far from zero the slope of a sigmoid or tanh is next to nothing, so that gradients die there. Unscaled inputs, large "
        "weights or a large step put units there."
    ),
    seen_by="more than half of a hidden layer's outputs where the slope is under 1 % of its largest, from the "
    "first updates or for good",
    remedies=(
        Remedy(
            "scale what goes in",
            "Standardise inputs, use Glorot's initialisation, or put batch norm before the activation.",
        ),
        Remedy("another activation", "Use ReLU or one of its family."),
        Remedy("lower the rate", "Lower the learning rate if units saturate during training."),
    ),
    sources=(
        "Glorot, Bengio 2010, section 3",
        "Wardat et al. 2022 (DeepDiagnosis): half of the inputs outside of -5 to 5; Amazon SageMaker Debugger, SaturatedActivation",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at hidden sigmoids and tanhs; an output that is sure of itself is no fault, nor is a gate of a cell."""
    learnt = has_learnt(case, thresholds.LEARNT_THOUGH_SATURATED)
    for model in case.models:
        layers = case.layers(model)
        weighted = [x.order or 0 for x in layers if x.parameters]
        hidden = [
            x
            for x in layers
            if x.kind in SIGMOIDS | TANHS and weighted and (x.order or 0) < max(weighted) and x.samples
        ]
        worst = max(hidden, key=_saturated, default=None)
        if worst is None or _saturated(worst) < thresholds.SATURATED:
            continue
        share, start = _saturated(worst), worst.samples[0].saturated
        from_start = start > thresholds.SATURATED
        before = next(
            (x for x in reversed(layers) if (x.order or 0) < (worst.order or 0) and x.parameters and x.samples), None
        )
        given = before.samples[0].output if before is not None else None
        size = (
            f"; what {before.name} puts out spreads by {given.std:.2g} from the start"
            if from_start and before and given
            else ""
        )
        yield FAULT.found(
            f"{share:.0%} of the outputs of {worst.name} ({worst.kind}) lie where its slope is under 1 % of "
            "its largest (at the first "
            f"update {start:.0%}){size}",
            severity="note" if learnt else "critical" if share > thresholds.SATURATED_NEARLY_ALL else "warning",
            where=case.where(worst.site, worst.name),
            certainty=0.76 if from_start else 0.62,
            series=(
                Series(
                    "saturated outputs", tuple(s.step for s in worst.samples), tuple(s.saturated for s in worst.samples)
                ),
            ),
        )


def _saturated(layer: LayerSeen) -> float:
    """The median of the last samples, of the call within a step that has most: a line may stand for several layers."""
    calls: dict[int, list[float]] = {}
    for sample in layer.samples:
        if sample.saturated == sample.saturated:
            calls.setdefault(sample.call, []).append(sample.saturated)
    if len(calls) > thresholds.LAYERS_OF_A_LINE:
        calls = {0: [s.saturated for s in layer.samples if s.saturated == s.saturated]}
    return max((float(np.median(shares[-thresholds.LAST_SAMPLES :])) for shares in calls.values()), default=0.0)
