"""ReLU units that put out nothing for any sample, and so never learn again."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.initialising_lines import bias_line
from osler.doctor.loss_left import has_learnt
from osler.structures.finding import Finding, Remedy, Series
from osler.vitals.activations import RELU_FAMILY
from osler.vitals.evidence import LayerSample, LayerSeen, ModelSeen

FAULT = Fault(
    name="dead-relu",
    category="optimisation",
    phase="during",
    title="ReLU units are dead",
    symptom="The loss stops early; a layer puts out zeros; more units do not help.",
    cause=(
        "A unit whose input is negative for every sample has slope 0 for every sample: no gradient will ever move it. A step that "
        "was too large, or inputs far from zero mean, push many units there at once."
    ),
    seen_by="units that put out 0 for every sample of each of the last sampled batches, in more than half of a layer with ReLU",
    remedies=(
        Remedy("lower the rate", "Lower the learning rate three- to tenfold: most units die in a few large steps."),
        Remedy("leaky activation", "Use nn.LeakyReLU, nn.GELU or nn.SiLU, whose slope is never quite 0."),
        Remedy("start anew", "Use He's initialisation with zero biases, and standardised inputs."),
    ),
    sources=(
        "Lu et al. 2019, Dying ReLU and Initialization",
        "Amazon SageMaker Debugger, DeadRelu: half of a layer; Braiek, Khomh 2023 (TheDeepChecker): half of the units",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at units that were silent in all of the later samples."""
    learnt = has_learnt(case, thresholds.LEARNT_THOUGH_DEAD)
    for model in case.models:
        layers = [x for x in case.layers(model) if x.kind in RELU_FAMILY and x.units >= thresholds.UNITS_TO_JUDGE]
        dead = [(*_dead(x), x) for x in layers]
        share, samples, layer = max(dead, key=lambda each: each[0], default=(0.0, [], None))
        if layer is None or share <= thresholds.DEAD_UNITS:
            continue
        start = samples[0].silent
        pushed = _pushed_at_start(case, model, layer) if start > thresholds.DEAD_UNITS else None
        why = f"; {pushed[1]}" if pushed else ""
        line = bias_line(case, pushed[0].name) if pushed else None
        yield FAULT.found(
            f"{share:.0%} of the {layer.units} units of {layer.name} put out 0 for every sample of each of "
            "the last sampled batches; at the "
            f"first update {start:.0%} did{why}",
            severity="note"
            if learnt or (share <= thresholds.DEAD_DOUBTFUL and not pushed)
            else "critical"
            if share > thresholds.DEAD_NEARLY_ALL
            else "warning",
            where=case.line(line, pushed[0].name)
            if line and pushed
            else case.where(layer.site, pushed[0].name if pushed else layer.name),
            certainty=0.9 if pushed else 0.58,
            series=(Series("silent units", tuple(s.step for s in samples), tuple(s.silent for s in samples)),),
        )


def _by_call(layer: LayerSeen) -> list[list[LayerSample]]:
    """The samples of each call within a step: a line may call the function several times, for several layers.

    Of what runs many times in a step, as a cell does, all calls are one.
    """
    calls: dict[int, list[LayerSample]] = {}
    for sample in layer.samples:
        calls.setdefault(sample.call, []).append(sample)
    return list(calls.values()) if len(calls) <= thresholds.LAYERS_OF_A_LINE else [layer.samples]


def _dead(layer: LayerSeen) -> tuple[float, list[LayerSample]]:
    """The least share that was silent in the last samples, of the call with most: who fires once in a while is not dead."""
    found = []
    for samples in _by_call(layer):
        last = [s.silent for s in samples[-thresholds.LAST_SAMPLES :] if s.silent == s.silent and not s.output.bad]
        found.append((float(np.min(last)) if len(last) >= thresholds.LAST_SAMPLES - 1 else 0.0, samples))
    return max(found, key=lambda pair: pair[0], default=(0.0, []))


def _pushed_at_start(case: Case, model: ModelSeen, relu: LayerSeen) -> tuple[LayerSeen, str] | None:
    """The layer whose bias keeps the units below zero from the start, and the words for it."""
    layers = [x for x in case.layers(model) if x.parameters and x.samples]
    before = [x for x in layers if (x.order or 0) < (relu.order or 0)]
    several = len(_by_call(relu)) > 1  # a line that stands for several layers
    for layer in layers if several else before[-1:]:
        bias = next(
            (model.parameters[n].start for n in layer.parameters if n.endswith("bias") and n in model.parameters), None
        )
        spread = layer.samples[0].between_samples
        if bias is not None and not bias.bad and bias.mean < 0 and bias.mean < -thresholds.PUSHED * max(spread, 1e-12):
            return (
                layer,
                f"the bias of {layer.name} starts at {bias.mean:.3g}, while its outputs differ between samples by {spread:.2g}",
            )
    return None
