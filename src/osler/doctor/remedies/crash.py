"""Programs that stop with an error of which it is known what mends it: widths, axes, types, devices, graphs used twice."""

import math
import re
from collections.abc import Callable, Iterator

from osler.doctor.case import Case
from osler.doctor.mending.crash_edit import (
    REAL_LOSSES,
    change_given,
    change_inputs,
    change_targets_of_losses,
    loss_calls,
    network_calls,
    running_layer,
    set_width_there,
)
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.value_edit import put
from osler.doctor.remedies.crash_of_code import CODE
from osler.structures.finding import Finding
from osler.vitals.evidence import LayerSeen

Offer = Callable[["re.Match[str]", Case], Iterator[Prescription]]
CHOICE = "crash"


@prescribes("crash")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """What mends the error, by its text."""
    for pattern, offer in (*SHAPES, *TYPES, *CODE):
        match = re.search(pattern, case.evidence.ending.error, re.DOTALL)
        if match is not None:
            yield from offer(match, case)
            return


def mend(remedy: str, change: str, edit: Edit) -> Prescription:
    """A way out of an error; the ways exclude each other."""
    return Prescription(remedy, change, edit, choice=CHOICE, changes_loss=True)


# ---- widths and axes


def _matrices(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    rows, given = int(match[1]), int(match[2])
    layer = running_layer(case)
    wanted = int(layer.options.get("in_features") or match[3])
    if rows * given % wanted == 0 and rows > rows * given // wanted:
        yield mend("flatten", f"Flatten each sample before {layer.name}.", lambda e: _flatten(e, case, layer))
    yield mend(
        "fit the width", f"Give layer {layer.name!r} in_features={given} in place of {wanted}.",
        lambda e: set_width_there(e, case, layer.name, "in_features", 0, given),
    )  # fmt: skip


def _flatten(edit: ScriptEdit, case: Case, layer: LayerSeen) -> None:
    """`self.fc(x)` becomes `self.fc(x.flatten(1))`; a Sequential that begins with it flattens what it is given."""
    change_given(edit, case, layer, "{}.flatten(1)")


def _channels(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    shape = [int(n) for n in re.findall(r"\d+", match[1])]
    wanted, given = int(match[2]), int(match[3])
    layer = running_layer(case)
    if len(shape) == 4 and shape[-1] == wanted and given != wanted:
        yield mend(
            "channels first", "Put the axis of channels behind that of samples.",
            lambda e: change_given(e, case, layer, "{}.permute(0, 3, 1, 2)"),
        )  # fmt: skip
    if wanted == 1 and (len(shape) == 3 or shape[0] == 1):
        yield mend(
            "add the axis of channels", "Add the axis of channels: `x.unsqueeze(1)`.",
            lambda e: change_given(e, case, layer, "{}.unsqueeze(1)"),
        )  # fmt: skip
    yield mend(
        "fit the width", f"Give layer {layer.name!r} in_channels={given} in place of {wanted}.",
        lambda e: set_width_there(e, case, layer.name, "in_channels", 0, given),
    )  # fmt: skip


def _image(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    shape = [int(n) for n in re.findall(r"\d+", match[1])]
    layer = running_layer(case)
    channels = int(layer.options.get("in_channels", 1))
    side = math.isqrt(shape[-1] // channels)
    if len(shape) == 2 and side * side * channels == shape[-1]:
        form = f"{{}}.view(-1, {channels}, {side}, {side})"
        yield mend(
            "give pictures their shape", f"Give the layer pictures: `x.view(-1, {channels}, {side}, {side})`.",
            lambda e: change_given(e, case, layer, form),
        )  # fmt: skip


def _norm_width(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    layer, given = running_layer(case), int(match[1])
    yield mend(
        "fit the width", f"Give layer {layer.name!r} {given} channels.",
        lambda e: set_width_there(e, case, layer.name, "num_features", 0, given),
    )  # fmt: skip


def _view(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    """A shape with a number of its own: the samples are kept, and the next layer takes what that gives."""
    last, count = int(match[1].rpartition(",")[2]), int(match[2])
    rows = _batch(case)
    if rows and count % rows == 0:
        yield _flat(case, last, count // rows)


def _batch_sizes(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    answers, labels = int(match[1]), int(match[2])
    for width in (_width_of(case, name) for name in _linear_layers(case)):
        if (width * answers) % labels == 0:
            yield _flat(case, width, width * answers // labels)
            return


def _linear_layers(case: Case) -> list[str]:
    return [n for m in case.evidence.models for n, x in m.layers.items() if x.kind == "Linear"]


def _width_of(case: Case, name: str) -> int:
    return next(int(m.layers[name].options["in_features"]) for m in case.evidence.models if name in m.layers)


def _flat(case: Case, width: int, right: int) -> Prescription:
    """`x.view(-1, 400)` becomes `x.flatten(1)`, and the layer that takes 400 takes the right number."""

    def change(edit: ScriptEdit) -> None:
        calls = [
            c for c in case.script.calls_of("view", "reshape")
            if c.function and len(c.node.args) == 2 and ("-1" in c.text() or "size(0)" in c.text() or "shape[0]" in c.text())
        ]  # fmt: skip
        layers = [n for n in _linear_layers(case) if _width_of(case, n) == width]
        if not calls or not layers:
            raise CannotEditError("The shape and the layer behind it are not found.")
        node = calls[0].node.func
        put(edit, calls[0].node, f"{edit.code(edit.at(node.value))}.flatten(1)")  # type: ignore[attr-defined]
        set_width_there(edit, case, layers[0], "in_features", 0, right)

    return mend("flatten", f"Flatten with `x.flatten(1)`, and give the next layer in_features={right}.", change)


def _batch(case: Case) -> int:
    """The samples of a batch, as the network or a loader had it."""
    shapes = [c.inputs[0].shape for m in case.evidence.models for c in m.calls if c.inputs and c.inputs[0].shape]
    sizes = [x.batch_size for x in case.evidence.loaders if x.batch_size]
    from_slices = re.findall(r"\b(?:batch_size|BATCH_SIZE|batch|BATCH|bs|BS)\s*=\s*(\d+)", case.evidence.source)
    return int(shapes[0][0] if shapes else sizes[0] if sizes else from_slices[0] if from_slices else 0)


def _embedding(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    layer = running_layer(case)
    highest = [int(c.inputs[0].high) for m in case.evidence.models for c in m.calls if c.inputs]
    size = max([*highest, int(layer.options.get("num_embeddings", 0))]) + 1
    yield mend(
        "enlarge the table", f"Give layer {layer.name!r} {size} rows.",
        lambda e: set_width_there(e, case, layer.name, "num_embeddings", 0, size),
    )  # fmt: skip


def _target_shape(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    target, given = ([int(n) for n in re.findall(r"\d+", match[k])] for k in (1, 2))
    if given == [*target, 1]:
        yield mend(
            "one shape", "Take the last axis off the network's output: `.squeeze(1)`.",
            lambda e: _squeeze_outputs(e, case, len(target)),
        )  # fmt: skip
        yield mend(
            "one shape", "Give the targets the output's shape: `.unsqueeze(1)`.",
            lambda e: change_targets_of_losses(e, case, f"{{}}.unsqueeze({len(target)})"),
        )  # fmt: skip
    elif target == [*given, 1]:
        yield mend(
            "one shape", "Take the last axis off the targets.",
            lambda e: change_targets_of_losses(e, case, f"{{}}.squeeze({len(given)})"),
        )  # fmt: skip


def _squeeze_outputs(edit: ScriptEdit, case: Case, axis: int) -> None:
    calls = network_calls(case)
    if not calls:
        raise CannotEditError("The calls of the network are not found.")
    for call in calls:
        put(edit, call.node, f"{{}}.squeeze({axis})")


def _column(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    yield _as_numbers(case, "{}.squeeze(1)", "a column")
    yield _as_numbers(case, "{}.argmax(1)", "one-hot rows")


def _as_numbers(case: Case, form: str, told: str) -> Prescription:
    return mend(
        "class numbers as targets", f"Give the loss class numbers in place of {told}: `{form.replace('{}', 'y')}`.",
        lambda e: change_targets_of_losses(e, case, form),
    )  # fmt: skip


# ---- types


def _float_inputs(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    def change(edit: ScriptEdit) -> None:
        change_inputs(edit, case, "{}.float()")
        if loss_calls(case, REAL_LOSSES):
            change_targets_of_losses(edit, case, "{}.float()", REAL_LOSSES)

    def at_layer(edit: ScriptEdit) -> None:
        change_given(edit, case, running_layer(case), "{}.float()")

    yield mend("convert the data", "Convert the inputs to float32: `x.float()`.", change)
    yield mend("convert the data", "Convert what the layer is given to float32: `x.float()`.", at_layer)
    if loss_calls(case, REAL_LOSSES):
        yield mend(
            "convert the targets", "Convert the targets to float32: `y.float()`.",
            lambda e: change_targets_of_losses(e, case, "{}.float()", REAL_LOSSES),
        )  # fmt: skip


def _float_targets(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    yield mend(
        "convert the targets", "Convert the targets to float32: `y.float()`.",
        lambda e: change_targets_of_losses(e, case, "{}.float()"),
    )  # fmt: skip


def _long_targets(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    yield mend(
        "convert the labels", "Convert the labels to whole numbers: `y.long()`.",
        lambda e: change_targets_of_losses(e, case, "{}.long()"),
    )  # fmt: skip


def _long_indices(match: "re.Match[str]", case: Case) -> Iterator[Prescription]:
    yield mend(
        "convert the indices", "Convert the indices to whole numbers: `x.long()`.",
        lambda e: change_given(e, case, running_layer(case), "{}.long()"),
    )  # fmt: skip


SHAPES: tuple[tuple[str, Offer], ...] = (
    (r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)", _matrices),
    (r"expected input\[([\d, ]+)\] to have (\d+) channels, but got (\d+) channels", _channels),
    (r"input to conv\w*, but got input of size: \[([\d, ]+)\]", _image),
    (r"running_mean should contain (\d+) elements not (\d+)", _norm_width),
    (r"shape '\[([-\d, ]+)\]' is invalid for input of size (\d+)", _view),
    (r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)", _batch_sizes),
    (r"index out of range in self", _embedding),
    (
        r"[Tt]arget size \(torch\.Size\(\[([\d, ]*)\]\)\).{0,60}input size \(torch\.Size\(\[([\d, ]*)\]\)\)",
        _target_shape,
    ),
    (r"0D or 1D target tensor expected, multi-target not supported", _column),
)
TYPES: tuple[tuple[str, Offer], ...] = (
    (
        r"expected target dtype to be Long|expected scalar type Long but found|nll_loss\w* not implemented for '\w+'",
        _long_targets,
    ),
    (
        r"Found dtype \w+ but expected Float|result type Float can't be cast to the desired output type Long",
        _float_targets,
    ),
    (r"floating point type for target", _float_targets),
    (
        r"must have the same dtype|Input type \(.*\) and (?:bias|weight) type \(.*\) should be the same|"
        r"expected scalar type \w+ but found|same dtype, but got|not implemented for '(?:Long|Byte|Int|Char|Short)'",
        _float_inputs,
    ),
    (r"to have one of the following scalar types: Long, Int", _long_indices),
)
