"""The weights with which a network starts, beside what their fan-in asks for, and what they do to the signal."""

import math
from dataclasses import dataclass

from osler.doctor.case import Case
from osler.vitals.evidence import LayerSeen, ModelSeen, ParameterSeen

NORMS = ("Norm",)
LEFT_OUT = ("Embedding", "Norm", "LSTM", "GRU", "RNN", "Attention", "Transformer", "Bilinear")


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """A layer's matrix at the first call."""

    layer: str
    fan_in: int
    std: float  # root mean square of the weights
    gain: float  # spread of the output from sample to sample over that of what goes in
    output: float  # root mean square of the output
    normalised: bool  # whether a norm layer follows, which makes the scale idle

    @property
    def he(self) -> float:
        """He's standard deviation for this fan-in (He et al. 2015, section 2.2)."""
        return math.sqrt(2 / self.fan_in)

    @property
    def against_he(self) -> float:
        """How many times He's."""
        return self.std / self.he


def initial_weights(case: Case, model: ModelSeen) -> list[InitialWeights]:
    """Of each linear and convolutional layer, in the order of the first pass; layers that a norm follows are marked."""
    layers = [x for x in case.layers(model) if x.samples]
    shared = any(
        _is_norm(x) and x.calls > len({s.step for s in x.samples}) for x in layers
    )  # its place is that of its first call
    found = []
    before = _input_spread(model)
    for place, layer in enumerate(layers):
        first = layer.samples[0]
        weights = _weights(model, layer)
        for weight in weights:
            fan_in = _fan_in(weight, layer)
            std = math.hypot(weight.start.std, weight.start.mean)
            gain = first.between_samples / before if before > 0 and len(weights) == 1 else std * math.sqrt(fan_in)
            following = layers[place + 1] if place + 1 < len(layers) else None
            size = math.hypot(first.output.mean, first.output.std)
            found.append(InitialWeights(layer.name, fan_in, std, gain, size, _is_norm(following) or shared))
        before = first.between_samples if first.between_samples > 0 else before
    return [w for w in found if math.isfinite(w.gain) and w.fan_in > 0]


def _weights(model: ModelSeen, layer: LayerSeen) -> list[ParameterSeen]:
    if any(word in layer.kind for word in LEFT_OUT):
        return []
    held = [model.parameters[n] for n in layer.parameters if n in model.parameters]
    return [p for p in held if len(p.shape) > 1 and not p.start.bad and p.start.count > 1]


def _fan_in(weight: ParameterSeen, layer: LayerSeen) -> int:
    shape = weight.shape
    if "Transpose" in layer.kind:
        return shape[0] * math.prod(shape[2:])
    if len(shape) == 2 and layer.kind != "Linear":
        return shape[0]  # of a person's own, as in x @ W
    return math.prod(shape[1:])


def _input_spread(model: ModelSeen) -> float:
    call = next((c for c in model.calls if c.moment == "train" and c.inputs), None)
    return call.inputs[0].std if call is not None else math.nan


def _is_norm(layer: LayerSeen | None) -> bool:
    return layer is not None and any(word in layer.kind for word in NORMS)
