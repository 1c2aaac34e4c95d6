"""Labels that begin at 0: where they are made, or where the loss is given them."""

import re
from collections.abc import Iterator

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, Case
from osler.doctor.mending.layer_edit import set_width
from osler.doctor.mending.loss_edit import change_targets, same_losses, ways
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import ScriptEdit
from osler.doctor.mending.value_edit import change_after
from osler.doctor.remedies.target_scaling import target_assignment
from osler.doctor.remedies.wrong_output_size import USUAL_COUNTS
from osler.structures.finding import Finding
from osler.vitals.evidence import LossSeen

CHOICE = "labels"
REFUSED = re.compile(r"Target (\d+) is out of bounds")


@prescribes("label-out-of-range")
def map_labels(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Labels shifted to 0; -1 and 1 halved; at the loss first where the script itself shifts its answers back."""
    refused = REFUSED.search(case.evidence.ending.error)
    if refused:
        yield from _wider_head(case, int(refused[1]))
        return
    loss = _at_fault(finding, case)
    form, told = _form(loss)
    if form is not None:
        given = form

        def at_loss(edit: ScriptEdit) -> None:
            change_targets(edit, case, same_losses(case, loss), given)

        def behind(edit: ScriptEdit) -> None:
            step, name = target_assignment(case, loss, None)
            change_after(edit, step, f"{name} = {given.replace('{}', name)}")

        ways_: list[tuple[str, Edit]] = [
            (f"Give the loss {told}.", at_loss),
            (f"Map the labels where they are made: {told}.", behind),
        ]
        if not _shifts_back(case):
            ways_.reverse()
        for text, edit in ways_:
            yield Prescription("map the labels", text, edit, choice=CHOICE, changes_loss=True)
    way = ways(case, loss)
    layer = way.last.layer if way is not None else None
    largest = _largest(loss)
    if loss.function in CLASS_LOSSES and layer is not None and largest > 0:

        def wider(edit: ScriptEdit) -> None:
            set_width(edit, case, layer, "out_features", 1, largest + 1)

        yield Prescription(
            "fit the output", f"Give layer {layer!r} {largest + 1} units.", wider, choice=CHOICE, changes_loss=True
        )


def _wider_head(case: Case, label: int) -> Iterator[Prescription]:
    """Where a label stopped the program: an output for it, and as many as data sets with more classes usually have."""
    heads = [x for m in case.evidence.models for x in m.layers.values() if x.kind == "Linear"]
    for count in (label + 1, *[c for c in USUAL_COUNTS if c > label + 1][:1]) if heads else ():
        yield _of_width(case, heads[-1].name, count)


def _of_width(case: Case, layer: str, count: int) -> Prescription:
    def wider(edit: ScriptEdit) -> None:
        set_width(edit, case, layer, "out_features", 1, count)

    return Prescription(
        "fit the output", f"Give layer {layer!r} {count} units.", wider, choice=CHOICE, changes_loss=True
    )


def _at_fault(finding: Finding, case: Case) -> LossSeen:
    kinds = (*CLASS_LOSSES, *BINARY_LOSSES)
    seen = [x for x in case.evidence.losses if x.function in kinds and x.site is not None]
    here = [x for x in seen if x.site is not None and x.site.line == finding.where.line]
    return (here or seen)[0]


def _largest(loss: LossSeen) -> int:
    return int(max([*loss.targets, *(s.target.high for s in loss.samples if s.target is not None)], default=0))


def _form(loss: LossSeen) -> tuple[str | None, str]:
    """What maps the labels, and its words."""
    values = sorted(
        {*loss.targets, *(v for s in loss.samples if s.target is not None for v in (s.target.low, s.target.high))}
    )
    if not values:
        return None, ""
    low, high = values[0], values[-1]
    if loss.function in BINARY_LOSSES:
        if len(values) > 2:
            return None, ""
        if low == 0:
            return f"{{}} / {high:g}", f"labels divided by {high:g}"
        if high - low == 1:
            return f"{{}} {'-' if low > 0 else '+'} {abs(low):g}", f"labels that begin at 0 in place of {low:g}"
        return (
            f"({{}} {'-' if low > 0 else '+'} {abs(low):g}) / {high - low:g}",
            f"0 and 1 in place of {low:g} and {high:g}",
        )
    if low == 0 or low != int(low):
        return None, ""
    return f"{{}} {'-' if low > 0 else '+'} {abs(low):g}", f"labels that begin at 0 in place of {low:g}"


def _shifts_back(case: Case) -> bool:
    """Whether the script maps its answers to the labels as they are: `(scores > 0).float() + 1`, `argmax(1) + 1`."""
    marks = ("argmax", ">", "round", "max(")
    return any(
        any(m in line for m in marks) and ("+ 1" in line or "* 2 - 1" in line or "sign(" in line)
        for line in case.script.lines
    )
