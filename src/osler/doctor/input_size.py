"""How large a network's inputs are, and whether the network itself puts that right."""

import math
from dataclasses import dataclass

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.vitals.evidence import Call, LayerSeen, ModelSeen

NORMS = ("Norm",)
WITH_SUMS = ("Linear", "Conv1d", "Conv2d", "Conv3d")


@dataclass(frozen=True)
class InputSize:
    """The first input of a network at training."""

    low: float
    high: float
    mean: float
    rms: float
    spread: float  # median over channels or features of their standard deviations
    layer: str | None  # the first with weights
    normalised: bool  # a norm layer stands first or second
    scaled_inside: bool  # the first layer puts out far less than inputs and weights predict
    constant: bool

    @classmethod
    def of(cls, case: Case, model: ModelSeen) -> "InputSize | None":
        """None where the first input is tokens, or nothing was seen."""
        calls = [c for c in model.calls if c.moment == "train" and c.inputs and math.isfinite(c.inputs[0].mean)]
        layers = [x for x in case.layers(model) if x.leaf and (x.parameters or "Norm" in x.kind)]
        if not calls or not layers or "Embedding" in layers[0].kind:
            return None
        embeds = any("Embedding" in layer.kind for layer in model.layers.values())
        if embeds and "float" not in calls[0].inputs[0].dtype:
            return None
        seen = [c.inputs[0] for c in calls]
        rms = float(np.sqrt(np.mean([s.mean**2 + s.std**2 for s in seen])))
        low, high = min(s.low for s in seen), max(s.high for s in seen)
        weighted = [x for x in layers if not any(norm in x.kind for norm in NORMS)]
        return cls(
            low,
            high,
            float(np.mean([s.mean for s in seen])),
            rms,
            _spread(calls),
            (weighted or layers)[0].name or None,
            any(norm in x.kind for x in layers[:2] for norm in NORMS),
            _scaled_inside(model, (weighted or layers)[0], calls[0]),
            high - low <= 1e-12 * max(1.0, abs(high)),
        )


def _spread(calls: list[Call]) -> float:
    spreads = [c.channel_stds or (c.inputs[0].std,) for c in calls]
    width = len(spreads[0])
    return float(np.median(np.mean([s for s in spreads if len(s) == width], axis=0)))


def _scaled_inside(model: ModelSeen, layer: LayerSeen, call: Call) -> bool:
    """Whether the first layer's first output is far smaller than the sum of its random weights times the inputs would be."""
    weights = next(
        (model.parameters[p] for p in layer.parameters if p in model.parameters and p.endswith("weight")), None
    )
    if weights is None or not layer.samples or layer.kind not in WITH_SUMS or len(weights.shape) < 2:
        return False
    given = call.inputs[0]
    terms = float(np.prod(weights.shape[1:]))
    expected = math.sqrt(terms * (given.mean**2 + given.std**2) * (weights.start.mean**2 + weights.start.std**2))
    output = layer.samples[0].output
    seen = math.sqrt(output.mean**2 + output.std**2) if math.isfinite(output.mean) else math.inf
    apart = math.sqrt(terms) * given.std * math.hypot(weights.start.mean, weights.start.std)
    larger = layer.samples[0].between_samples > apart * thresholds.SCALED_INSIDE  # biases are the same for all samples
    return seen * thresholds.SCALED_INSIDE < expected or larger
