"""Batch norm takes its mean and variance from a few values."""

import ast
import math
from collections import Counter
from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import BATCH_NORMS
from osler.doctor.outcomes import best_learnt
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LayerSeen, ModelSeen

FAULT = Fault(
    name="small-batch-norm",
    category="model",
    phase="during",
    title="Batch normalisation over tiny batches",
    symptom="Training is noisy, evaluation is much worse than training, or the program stops at a batch of one.",
    cause=(
        "Batch norm measures mean and variance on each batch. Of a few samples both are chance: the same sample gets other "
        "values in other company, and the running statistics of evaluation fit none of the batches. Two values are "
        "always normalised to -1 and 1, whatever they were."
    ),
    seen_by=(
        f"most training batches hold {thresholds.NORM_SAMPLES} samples or fewer, or each channel at most "
        f"{thresholds.NORM_VALUES} values, so that the variance is off by more than half"
    ),
    remedies=(
        Remedy("enlarge the batch", "Use batches of 16 samples or more."),
        Remedy("change the norm", "Use GroupNorm or LayerNorm, which do not look at other samples."),
        Remedy("freeze the statistics", "If the network was trained before, keep its norm layers in evaluation mode."),
    ),
    sources=(
        "Wu, He 2018, 'Group normalization', figure 1: error of batch norm rises below 8 to 16 samples",
        "Ioffe 2017, 'Batch renormalization', section 3; the relative error of a variance of n values is sqrt(2 / (n - 1))",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the batches that batch norms met in training."""
    for model in case.models:
        batch = _usual_batch(model)
        norms = [x for x in case.layers(model) if x.kind in BATCH_NORMS and x.training and x.input_shape]
        if batch is None or not norms:
            continue
        values = {x.name: batch * math.prod(x.input_shape[2:]) for x in norms if x.input_shape}
        least = min(norms, key=lambda x: values[x.name])
        few = values[least.name]
        harmed = batch <= thresholds.NORM_SAMPLES_DOUBTFUL and _differs_in_evaluation(case, model)
        if batch > thresholds.NORM_SAMPLES and few > thresholds.NORM_VALUES and not harmed:
            continue
        off = math.sqrt(2 / (few - 1)) if few > 1 else math.inf
        grave = few <= thresholds.NORM_VALUES
        told = (
            f"{least.name} has {few} values a channel, so that its variance is off by {off:.0%} by chance"
            if grave else f"what a sample is normalised by depends on {batch - 1} other sample{'s' if batch != 2 else ''}"
        )  # fmt: skip
        yield FAULT.found(
            f"batches of {batch} sample{'s' if batch > 1 else ''} pass {len(norms)} batch norm"
            f"{'s' if len(norms) > 1 else ''}: {told}",
            severity="critical" if few <= 2 else "warning",
            where=_place(case, batch, least),
            certainty=0.92 if grave else 0.85,
            change=f"Use batches of 16 samples or more in place of {batch}, or GroupNorm in place of {least.kind}.",
        )


def _differs_in_evaluation(case: Case, model: ModelSeen) -> bool:
    """Whether the trained network answers otherwise in evaluation than in training mode, on the same samples."""
    modes = case.probes.get("modes", {}).get(model.name, {})
    fitted = best_learnt(case)
    agreement = modes.get("agreement", math.nan)
    return fitted is not None and fitted > 0.4 and agreement < thresholds.MODES_AGREE


def _usual_batch(model: ModelSeen) -> int | None:
    """The size of most batches that the network learnt from."""
    sizes = Counter(
        c.inputs[0].shape[0]
        for c in model.calls
        if c.moment == "train" and c.inputs and c.inputs[0].shape and c.training
    )
    return sizes.most_common(1)[0][0] if sizes else None


def _place(case: Case, batch: int, norm: LayerSeen) -> Where:
    """The line that sets the batch size, with the norm layer's name."""
    line = None
    for loader in case.evidence.loaders:
        if loader.batch_size == batch and loader.used_for["train"] and loader.site is not None:
            line = loader.site.line
            break
    sizes = [a for a in case.script.assignments if isinstance(a.value, ast.Constant) and a.value.value == batch]
    named = [a for a in sizes if any("b" in n.lower() and n.isidentifier() for n in a.names)]
    if line is None and named:
        line = named[0].line
    return case.line(line, norm.name) if line is not None else case.where(None, norm.name)
