"""How large gradients are from layer to layer, and from call to call of a layer that a step calls often."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from osler.doctor.case import Case
from osler.vitals.evidence import LayerSample, LayerSeen, ModelSeen

CALLS_TRACED = 8  # of a layer, the nearest to the loss: where it reads itself, one of them does


@dataclass(frozen=True, slots=True)
class GradientCourse:
    """The gradient at the outputs of a network's layers with weights, first layer first."""

    names: tuple[str, ...]
    early: float  # median over the sampled steps of the first layer's
    late: float  # of the last layer's

    @property
    def ratio(self) -> float:
        """The first layer's gradient over the last one's."""
        return self.early / self.late if self.late > 0 else math.nan


def over_layers(case: Case, model: ModelSeen, first_steps: int | None = None) -> GradientCourse | None:
    """Gradients with respect to weights over the layers, by the root mean square of each weight's; None with fewer than two."""
    layers = [x for x in case.layers(model) if _weight(model, x)]
    optimizers = [o for o in case.evidence.optimizers if o.samples]
    if len(layers) < 2 or not optimizers:
        return None
    samples = [s for o in optimizers for s in o.samples][:first_steps]
    values = {x.name: [_rms(model, x, s.gradients) for s in samples] for x in layers}
    medians = {
        n: float(np.median([v for v in vs if math.isfinite(v)]))
        for n, vs in values.items()
        if any(map(math.isfinite, vs))
    }
    if len(medians) < 2:
        return None
    names = tuple(medians)
    return GradientCourse(names, medians[names[0]], medians[names[-1]])


def over_calls(case: Case, layer: LayerSeen) -> tuple[int, float, float] | None:
    """Of a layer that runs again and again on what it gave before: how often in a step, and the gradient at its first and its
    last call; None of others, such as a head that levels, views or regions share."""
    steps: dict[int, list[LayerSample]] = {}
    for sample in layer.samples:
        steps.setdefault(sample.step, []).append(sample)
    long = [calls for calls in steps.values() if len(calls) >= 4 and _alike(calls)]
    if not long or not _reads_itself(case, layer):
        return None
    first = [calls[0].gradient_rms for calls in long if math.isfinite(calls[0].gradient_rms)]
    last = [calls[-1].gradient_rms for calls in long if math.isfinite(calls[-1].gradient_rms)]
    if not first or not last:
        return None
    return max(len(calls) for calls in long), float(np.median(first)), float(np.median(last))


def _alike(calls: Sequence[LayerSample]) -> bool:
    """Whether a sample's output has one shape in all calls: what comes round has; maps of several levels have not."""
    return len({call.output.shape[1:] for call in calls}) == 1


def _reads_itself(case: Case, layer: LayerSeen) -> bool:
    """Whether a call of the layer lies under another in the graph of a loss; True where no graph shows the layer."""
    known = False
    for graph in case.loss_graphs:
        places = {place for place, weighted in graph.weighted.items() if weighted.layer == layer.name}
        known = known or bool(places)
        if any(graph.below(place) & places for place in sorted(places)[:CALLS_TRACED]):
            return True
    return not known


def _weight(model: ModelSeen, layer: LayerSeen) -> str | None:
    return next((n for n in layer.parameters if n in model.parameters and len(model.parameters[n].shape) > 1), None)


def _rms(model: ModelSeen, layer: LayerSeen, gradients: dict[str, float]) -> float:
    name = _weight(model, layer)
    norm = gradients.get(name or "")
    return norm / math.sqrt(model.parameters[name].start.count) if norm is not None and name is not None else math.nan
