"""As many units in the last layer as there are classes, or numbers to predict."""

import re
from collections.abc import Iterator

from osler.doctor.case import REGRESSION_LOSSES, Case
from osler.doctor.mending.layer_edit import model_with, set_width
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding

WIDTHS = {"Linear": "out_features", "LazyLinear": "out_features", "Conv1d": "out_channels", "Conv2d": "out_channels"}
USUAL_COUNTS = (10, 26, 47, 62, 100, 200, 1000)
CHOICE = "width of the output"


@prescribes("wrong-output-size")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The width that the labels or targets have; where the program stopped at a label also the next usual count."""
    layer = finding.where.layer
    if layer is None:
        return
    _, seen = model_with(case, layer)
    name = WIDTHS.get(seen.kind)
    refused = re.search(r"Target (\d+) is out of bounds", case.evidence.ending.error)
    if refused:
        least = max(int(refused[1]), _largest_label(case)) + 1
        counts = [least, *[c for c in USUAL_COUNTS if c > least][:1]]
    else:
        counts = [_target_width(case) or _classes(case)]
    for count in counts:
        if count > 0 and name is not None and count != seen.options.get(name):
            yield _of_width(case, layer, name, count, seen.options.get(name))


def _of_width(case: Case, layer: str, name: str, count: int, now: object) -> Prescription:
    def change(edit: ScriptEdit) -> None:
        set_width(edit, case, layer, name, 1, count)

    told = f"Give layer {layer!r} {count} unit{'s' if count > 1 else ''} in place of {now}."
    return Prescription("set the width of the last layer", told, change, choice=CHOICE, changes_loss=True)


def _target_width(case: Case) -> int:
    """How many numbers the targets of a regression hold; 0 where output and target do not differ in that."""
    for loss in case.losses(*REGRESSION_LOSSES):
        for sample in loss.samples:
            target = sample.target
            if (
                target is not None
                and len(sample.input.shape) == len(target.shape) == 2
                and sample.input.shape != target.shape
            ):
                return target.shape[1]
    return 0


def _classes(case: Case) -> int:
    """The labels up to the largest that was seen."""
    largest = _largest_label(case)
    if largest < 1:
        raise CannotEditError("No labels were seen.")
    return largest + 1


def _largest_label(case: Case) -> int:
    labels = [int(v) for loss in case.evidence.losses if loss.target_is_integer for v in loss.targets]
    for model in case.evidence.models:
        labels += [label for answers in model.answers for label in answers.labelled]
        labels += [int(k.max()) for k in model.train.labels if k is not None and k.size and k.ndim == 1]
        wide = [k for k in model.train.labels if k is not None and k.ndim == 2 and k.shape[1] > 2]
        labels += [int(k.sum(0).nonzero()[0].max()) for k in wide if k.any()]
    return max(labels, default=0)
