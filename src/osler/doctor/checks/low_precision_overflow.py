"""Numbers of 16 bits overflow or underflow."""

import math
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, NotSeen, check
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LayerSeen, ModelSeen, Site

FAULT = Fault(
    name="low-precision-overflow",
    category="optimisation",
    phase="during",
    title="Half precision overflows or underflows",
    symptom="NaN or infinity appears though rates and data are harmless, or weights stop moving, or the scaler skips many steps.",
    cause=(
        "float16 holds numbers up to 65,504 and, with its full precision, none below 6e-5. Sums of squares and large activations "
        "leave it at the top, gradients at the bottom. bfloat16 holds as large numbers as float32 with three digits: "
        "updates below "
        "half a percent of a weight are lost when weights themselves are kept in it."
    ),
    seen_by=(
        "values that are not finite in float16, gradients of float16 layers that are all zero, updates of 16-bit weights that are "
        "rounded away, or a scaler that skips more than 5 % of steps"
    ),
    remedies=(
        Remedy("keep the weights in float32", "Leave parameters in float32 and use torch.autocast around the forward pass only."),
        Remedy("scale the loss", "Use torch.amp.GradScaler with float16, or bfloat16, which needs none."),
        Remedy("keep sums wide", "Compute norms, sums of squares, softmax and losses in float32."),
    ),
    sources=(
        "Micikevicius et al. 2018, Mixed precision training, sections 3.1 to 3.3",
        "Bekman, Machine learning engineering: instabilities of fp16; Hugging Face, DebugUnderflowOverflow",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at what is kept and computed in 16 bits, and at the scaler."""
    evidence = case.evidence
    halves = [
        (model, layer)
        for model in case.models
        for layer in case.layers(model)
        if _type(layer) in ("float16", "bfloat16")
    ]
    kept = {n: p for m in case.models for n, p in m.parameters.items() if p.start.dtype in ("float16", "bfloat16")}
    if not (halves or kept or evidence.scaler or "float16" in evidence.autocast):
        raise NotSeen("nothing was computed in 16 bits")
    found = [*_overflow(case, halves), *_lost_gradients(case, halves), *_lost_updates(case), *_scaler(case)]
    yield from found[:1]


def _type(layer: LayerSeen) -> str:
    return layer.samples[0].output.dtype if layer.samples else ""


def _overflow(case: Case, halves: list[tuple[ModelSeen, LayerSeen]]) -> Iterator[Finding]:
    """The first layer, in time and order, whose float16 output is not finite."""
    bad = [
        (sample.step, layer.order or 0, layer, sample)
        for _, layer in halves
        for sample in layer.samples
        if sample.output.dtype == "float16" and (sample.output.bad or sample.gradient_bad)
    ]
    curve = case.loss_curve
    broken = int(np.sum(~np.isfinite(curve[:, 1])))
    ended = [
        (name, p)
        for m in case.models
        for name, p in m.parameters.items()
        if p.end and p.end.bad and p.end.dtype == "float16"
    ]
    if bad:
        step, _, layer, sample = min(bad, key=lambda b: (b[0], 0 if b[3].output.bad else 1, b[1]))
        what = "output" if sample.output.bad else "gradient"
        count = sample.output.bad or sample.gradient_bad
        if _scales(case) and not broken and not ended:
            return  # that is what the scaler is there for
        yield FAULT.found(
            f"at update {step} the {what} of {layer.name} ({layer.kind}), kept in float16, holds {count:,} values beyond its "
            f"largest number of 65,504; {broken:,} of {len(curve):,} losses are not finite",
            where=case.where(_line_of_half(case) or layer.site, layer.name),
            certainty=0.95,
        )
    elif (broken or ended) and any(_type(layer) == "float16" for _, layer in halves):
        first = next((int(step) for step, value in curve if not math.isfinite(value)), None)
        name = ended[0][0] if ended else "the loss"
        yield FAULT.found(
            f"the network is computed in float16, and {name} is not finite"
            + (f" from update {first} on" if first is not None else " at the end"),
            where=case.where(_line_of_half(case)),
            certainty=0.9,
        )


def _lost_gradients(case: Case, halves: list[tuple[ModelSeen, LayerSeen]]) -> Iterator[Finding]:
    """Layers with weights whose float16 gradients are nearly all exact zeros, without a scaler."""
    if _scales(case):
        return
    taught = [layer for _, layer in halves if layer.parameters and _type(layer) == "float16"]
    zeros = {
        layer.name: float(
            np.median([s.gradient_zeros for s in layer.samples if s.gradient_zeros == s.gradient_zeros] or [0])
        )
        for layer in taught
    }
    lost = [name for name, share in zeros.items() if share >= thresholds.LOST_GRADIENTS]
    if len(lost) < thresholds.LOST_LAYERS * max(1, len(taught)):
        return
    yield FAULT.found(
        f"in {len(lost)} of {len(taught)} layers kept in float16, {min(zeros[n] for n in lost):.0%} or more of the "
        f"gradient's values "
        "are exactly 0: they are smaller than the type can hold, and the loss is not scaled",
        severity="warning",
        where=case.where(_line_of_half(case), lost[0]),
        certainty=0.85,
    )


def _lost_updates(case: Case) -> Iterator[Finding]:
    """Weights kept in 16 bits that move far less than rate and gradient say, as most of what is added is rounded away."""
    kept = {
        n: p
        for m in case.models
        for n, p in m.parameters.items()
        if p.start.dtype in ("float16", "bfloat16") and len(p.shape) >= 2
    }
    for optimizer in case.optimizers:
        if optimizer.kind not in ("SGD", "Adam", "AdamW") or not kept:
            continue
        shares = []
        for sample in optimizer.samples:
            rate = sample.lr[0] if sample.lr else 0.0
            for name in kept:
                gradient = sample.gradients.get(name, 0.0)
                size = gradient if optimizer.kind == "SGD" else 0.3 * kept[name].start.count ** 0.5
                if rate > 0 and gradient > 0 and math.isfinite(gradient) and name in sample.updates:
                    shares.append(sample.updates[name] / (rate * size))
        if len(shares) >= thresholds.LOST_UPDATES and np.median(shares) < thresholds.UPDATE_ARRIVES:
            kind = next(iter(kept.values())).start.dtype
            yield FAULT.found(
                f"weights are kept in {kind}, and at {len(shares)} updates of matrices looked at they moved by "
                f"{np.median(shares):.0%} of "
                "what rate and gradient ask for: the rest is smaller than the spacing of the type's numbers and is rounded away",
                where=case.where(_line_of_half(case) or optimizer.site),
                certainty=0.9,
            )
            return


def _scaler(case: Case) -> Iterator[Finding]:
    """A scale that keeps falling: the scaler skipped those steps."""
    scales = np.array(case.evidence.scaler)
    if len(scales) < thresholds.SCALER_STEPS:
        return
    drops = int(np.sum(scales[1:] < scales[:-1]))
    if drops > thresholds.SCALER_SKIPS * len(scales) and drops > thresholds.SCALER_FINDS_ITS_LEVEL:
        yield FAULT.found(
            f"the scaler lowered its scale {drops} times in {len(scales):,} steps, from {scales[0]:g} to "
            f"{scales[-1]:g}: it skipped "
            "those steps because gradients were not finite",
            where=case.where(_line_of_half(case)),
            certainty=0.85,
        )


def _scales(case: Case) -> bool:
    """Whether a gradient scaler is at work."""
    return bool(case.evidence.scaler)


def _line_of_half(case: Case) -> Site | None:
    """The line at which 16 bits are asked for."""
    for number, text in enumerate(case.script.lines, 1):
        code = text.partition("#")[0]
        if any(word in code for word in (".half()", "float16", "autocast(", "bfloat16")):
            return Site(case.evidence.script, number)
    return None
