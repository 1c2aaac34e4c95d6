"""The width of the last layer does not fit the classes or the targets."""

import re
from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import ordered, way_out, where_made
from osler.structures.finding import Finding, Remedy, Where
from osler.vitals.evidence import LayerSeen, LossSeen, ModelSeen

FAULT = Fault(
    name="wrong-output-size",
    category="model",
    phase="during",
    title="The output has the wrong number of units",
    symptom=(
        "Some outputs never win or never matter; or the loss complains that a target is out of bounds; or a regression learns "
        "one average for all of its targets."
    ),
    cause=(
        "The last layer must have one unit for each class, or one for each number that is to be predicted. Too few units "
        "cannot tell the classes apart; too many share out probability among classes that do not exist; and where a "
        "regression's output and target differ in width, one is silently repeated to fit the other."
    ),
    seen_by=(
        f"at least {thresholds.UNUSED_OUTPUTS:.0%} of the outputs (two or more) are never a label, although each class that is "
        f"came {thresholds.LABELS_PER_OUTPUT} times on average and none but once; or output and target have "
        "different widths, one of them 1; or "
        "labels larger than the outputs"
    ),
    remedies=(
        Remedy("set the width of the last layer", "Give the last layer one unit for each class, or for each target."),
        Remedy("count the classes from the labels", "Take the width from the data set, so that both always agree."),
    ),
    sources=(
        "StackOverflow cases 21 and 52 of the published collections (output units against classes)",
        "DeepDiagnosis (Wardat et al. 2022), checks of the last layer against the labels",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at widths beside labels: of a loss for classes, of a regression, and of a loss that refused its labels."""
    if refused := list(_out_of_bounds(case)):
        yield from refused
        return
    for loss in case.losses(*CLASS_LOSSES):
        yield from _unused_classes(case, loss)
    for loss in case.losses(*BINARY_LOSSES):
        yield from _empty_columns(case, loss)
    for loss in case.losses(*REGRESSION_LOSSES):
        yield from _different_widths(case, loss)


def _unused_classes(case: Case, loss: LossSeen) -> Iterator[Finding]:
    shapes = [s.input.shape for s in loss.samples if s.moment == "train"]
    if not loss.target_is_integer or not shapes or len(shapes[0]) != 2 or _reads_tokens(case):
        return
    width, total = shapes[0][1], sum(loss.targets.values())
    used = {int(value) for value in loss.targets if 0 <= value < width}
    for model in case.evidence.models:
        for answers in model.answers:
            used |= {label for label in answers.labelled if 0 <= label < width}
    if len(used) < 2:
        return  # one right place for every sample: the instance itself against others, no classes
    unused = width - len(used)
    if total < thresholds.LABELS_PER_OUTPUT * len(used) or 1 in loss.targets.values() or not _are_many(unused, width):
        return
    way = way_out(case, loss.made_by)
    known = any(model.loaded for model in case.evidence.trained_models)  # a borrowed head may be wider on purpose
    yield FAULT.found(
        f"{unused} of the {width} outputs were never the label of any of {total:,} samples: there are {len(used)} classes, "
        f"{_list(used)}",
        severity="note" if known else "warning",
        where=where_made(case, way.last.layer) if way and way.last.layer else case.where(loss.site),
        certainty=0.9,
        change=f"Give the last layer {len(used)} units in place of {width}.",
    )


def _empty_columns(case: Case, loss: LossSeen) -> Iterator[Finding]:
    """Zeros and ones for each output, of which some columns are never 1."""
    way = way_out(case, loss.made_by)
    for model in case.evidence.trained_models:
        labels = [k for k in model.train.labels if k is not None and k.ndim == 2 and k.shape[1] > 2]
        shapes = {s.input.shape[1:] for s in loss.samples if s.moment == "train"}
        if not labels or shapes != {labels[0].shape[1:]} or any(k.shape[1:] != labels[0].shape[1:] for k in labels):
            continue
        values = np.concatenate(labels)
        empty, width = int((values == 0).all(0).sum()), values.shape[1]
        one_hot = bool(np.all(values.sum(1) == 1))
        if one_hot and len(values) >= thresholds.LABELS_PER_OUTPUT * width and _are_many(empty, width):
            yield FAULT.found(
                f"{empty} of the {width} outputs were never wanted in any of {len(values):,} samples: there are "
                f"{width - empty} classes",
                severity="warning",
                where=where_made(case, way.last.layer) if way and way.last.layer else case.where(loss.site),
                certainty=0.9,
                change=f"Give the last layer {width - empty} units in place of {width}.",
            )
        return


def _different_widths(case: Case, loss: LossSeen) -> Iterator[Finding]:
    pairs = {
        (s.input.shape, s.target.shape)
        for s in loss.samples
        if s.moment == "train" and s.target is not None and len(s.input.shape) == 2 and s.input.shape[0] > 1
    }
    wrong = [(a, b) for a, b in pairs if len(b) == 2 and a[0] == b[0] and a[1] != b[1] and 1 in (a[1], b[1])]
    if not wrong or len(wrong) < len(pairs):
        return
    (_, out), (_, wanted) = wrong[0]
    way = way_out(case, loss.made_by)
    yield FAULT.found(
        f"the network gives {out} number{'s' if out > 1 else ''} for a sample, but the target has {wanted}: {loss.function} "
        f"repeats the {'target' if wanted == 1 else 'output'} {max(out, wanted)} times to make them fit",
        where=where_made(case, way.last.layer) if way and way.last.layer else case.where(loss.site),
        certainty=0.97,
        change=f"Give the last layer {wanted} unit{'s' if wanted > 1 else ''} in place of {out}.",
    )


def _out_of_bounds(case: Case) -> Iterator[Finding]:
    refused = re.search(r"Target (\d+) is out of bounds", case.evidence.ending.error)
    if case.evidence.ending.how != "crashed" or refused is None:
        return
    for model in case.evidence.models:
        head = _head(model)
        lowest = min((int(k.min()) for k in model.train.labels if k is not None and k.size), default=0)
        if head is None:
            continue
        width = int(head.options["out_features"])
        if int(refused[1]) > width or lowest == 0:
            where = Where(head.site.file, head.site.line, head.name) if head.site else where_made(case, head.name)
            yield FAULT.found(
                f"the loss met the label {refused[1]}, but the last layer has {width} units, for the labels 0 to {width - 1}",
                where=where,
                certainty=0.95,
                change=f"Give the last layer at least {int(refused[1]) + 1} units.",
            )
            return


def _head(model: ModelSeen) -> LayerSeen | None:
    heads = [x for x in ordered(model.layers.values()) if x.kind == "Linear"]
    return heads[-1] if heads and isinstance(heads[-1].options.get("out_features"), int) else None


def _are_many(unused: int, width: int) -> bool:
    return unused >= 2 and unused >= thresholds.UNUSED_OUTPUTS * width


def _reads_tokens(case: Case) -> bool:
    """Whether words go in: then many of a vocabulary never come."""
    return any(layer.kind.startswith("Embedding") for model in case.models for layer in model.layers.values())


def _list(values: set[int]) -> str:
    shown = sorted(values)
    return ", ".join(map(str, shown[:6])) + (" ..." if len(shown) > 6 else "")
