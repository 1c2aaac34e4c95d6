"""The network gives one answer for everything, while the labels vary."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.doctor.loss_course import why_not_plain
from osler.doctor.region_losses import judges_regions
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import Answers, ModelSeen

FAULT = Fault(
    name="constant-prediction",
    category="evaluation",
    phase="after",
    title="The network predicts one answer for everything",
    symptom="Accuracy stands exactly at the share of one class; predictions do not vary with the input.",
    cause=(
        "A network that can learn nothing from its input falls back on the best constant: the most frequent class, "
        "the mean "
        "target. That is a symptom: of units that died, of a rate too high or too low, of inputs that all look "
        "alike, of "
        "labels that do not belong to their inputs, of very unequal classes, or of a last layer that cannot express "
        "more."
    ),
    seen_by=(
        "98 % or more of at least 40 answers are the same class while no class has 90 % of the labels; or outputs "
        "spread by less than a hundredth of what the targets do"
    ),
    remedies=(
        Remedy(
            "find what keeps it from learning",
            "Look for dead units, the learning rate, the scale of inputs, and whether labels belong to inputs.",
        ),
        Remedy("weigh rare classes", "Where one class rules the data, draw classes evenly or weigh the loss."),
    ),
    sources=(
        "Karpathy 2019, A Recipe for Training Neural Networks: an input-independent baseline must do worse",
        "StackOverflow 67451311, 68224016: the same output for every input",
    ),
)  # fmt: skip


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the last evaluation passes, else at the answers of the last training steps."""
    if why_not_plain(case):
        return
    for model in case.models[:2]:
        found = _classes(case, model) or _numbers(case, model)
        if found is not None:
            yield found


def _classes(case: Case, model: ModelSeen) -> Finding | None:
    passes = [a for a in model.answers if a.judged >= thresholds.ANSWERS_LEAST and a.step]
    regions = any(judges_regions(case, loss) for loss in case.losses(*CLASS_LOSSES, *BINARY_LOSSES))
    last = passes[-1] if passes else model.last_training if not regions else None
    if last is None or last.judged < thresholds.ANSWERS_LEAST or len(last.labelled) < 2:
        return None
    said, often = last.predicted.most_common(1)[0]
    share, most = often / last.judged, max(last.labelled.values()) / last.judged
    if share < thresholds.ONE_ANSWER or most > thresholds.ONE_LABEL or not _stays(passes, said):
        return None
    return FAULT.found(
        f"class {said} is the answer for {often:,} of {last.judged:,} samples ({share:.0%}), while labels are of "
        f"{len(last.labelled)} classes and the most frequent has {most:.0%}",
        where=_output_layer(case, model),
        certainty=0.6,
    )


def _stays(passes: list[Answers], said: int) -> bool:
    """Whether the passes before the last gave nearly one answer as well: a single bad moment does not count."""
    before = passes[-3:-1]
    return all(a.predicted.most_common(1)[0][1] >= 0.9 * a.judged for a in before if a.judged)


def _numbers(case: Case, model: ModelSeen) -> Finding | None:
    """Of a regression: how far outputs lie apart in the last pass, beside how far targets do."""
    passes = [a for a in model.answers if a.spreads and a.step]
    last = passes[-1] if passes else model.last_training
    if last is None or case.classifies or last.samples < thresholds.ANSWERS_LEAST or not last.spreads:
        return None
    spread, wanted = (float(value) for value in np.mean(last.spreads, axis=0))
    if not (wanted > 0 and spread <= thresholds.ONE_NUMBER * wanted):
        return None
    return FAULT.found(
        f"the outputs for the last {last.samples:,} samples spread by {spread:.2g} and their targets by {wanted:.2g}: "
        f"the "
        "network answers every input with the same number",
        where=_output_layer(case, model),
        certainty=0.6,
    )


def _output_layer(case: Case, model: ModelSeen) -> Where:
    layer = next((x for x in reversed(case.layers(model)) if x.parameters), None)
    return case.where(None, layer.name) if layer is not None else case.line(model.site.line if model.site else None)
