"""Fewer reductions before the last convolutions, with a pooling to the old size at their end."""

import math
import re
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.layer_edit import called, function, made, module, take_out, unwrap
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, with_argument
from osler.structures.finding import Finding
from osler.vitals.evidence import LayerSeen, ModelSeen

POOLS = ("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d", "LPPool2d")
POOL_FUNCTIONS = ("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d")
CONVOLUTIONS = ("Conv1d", "Conv2d")
FLATTENING = ("flatten", "view", "reshape")
CHOICE = "reductions"


@prescribes("spatial-collapse")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The last reductions left out, two or one of them; values are pooled to the old size before they are flattened."""
    model = case.evidence.models[0] if case.evidence.ending.how == "crashed" else case.models[0]
    reducing = _reductions(model)
    refused = model.layers.get(finding.where.layer or "")
    if case.evidence.ending.how == "crashed" and refused is not None and refused.kind in POOLS:
        yield _without(case, model, [refused])
    for count in (2, 1, 3):
        if count <= len(reducing):
            yield _without(case, model, reducing[-count:])


def _reductions(model: ModelSeen) -> list[LayerSeen]:
    """The layers that make the map smaller, in order; a reduction that leaves no convolution behind it is none."""
    ran = sorted((x for x in model.layers.values() if x.order is not None), key=lambda x: x.order or 0)
    convolutions = [x.order or 0 for x in ran if x.kind in CONVOLUTIONS]
    last = max(convolutions, default=0)
    return [
        x for x in ran
        if (x.kind in (*POOLS, *POOL_FUNCTIONS) or (x.kind in CONVOLUTIONS and _stride(x) > 1))
        and ((x.order or 0) < last or (x.kind in CONVOLUTIONS and (x.order or 0) == last))
        and (x.input_shape is None or math.prod(x.input_shape[2:]) > 1)
    ]  # fmt: skip


def _stride(layer: LayerSeen) -> int:
    stride = layer.options.get("stride", 1)
    return max(stride) if isinstance(stride, tuple) else int(stride or 1)


def _without(case: Case, model: ModelSeen, reducing: list[LayerSeen]) -> Prescription:
    names = ", ".join(x.name.partition(" (line")[0] for x in reducing)

    def change(edit: ScriptEdit) -> None:
        for layer in reducing:
            _keep_size(edit, case, layer)
        _pool_at_the_end(edit, case, model)

    return Prescription(
        "reduce less",
        f"Leave out the reduction by {names}; pool before the last layers instead.",
        change,
        choice=CHOICE,
    )


def _keep_size(edit: ScriptEdit, case: Case, layer: LayerSeen) -> None:
    """A pooling taken out, a convolution's stride made 1."""
    if layer.name.endswith(")"):
        calls = edit.calls(layer.site.line, *POOL_FUNCTIONS) if layer.site is not None else []
        if len(calls) != 1:
            raise CannotEditError("The pooling is not found.")
        unwrap(edit, calls[0])
    elif layer.kind in POOLS:
        uses = called(edit, layer.name)
        if len(uses) > 1:
            raise CannotEditError("The pooling is used several times.")
        take_out(edit, case, layer.name)
    else:
        edit.change(made(edit, case, layer.name), lambda now: with_argument(now, "stride", "1", 3))


def _pool_at_the_end(edit: ScriptEdit, case: Case, model: ModelSeen) -> None:
    """A pooling to the size that the last layers are made for, unless there is one that makes any size fit."""
    kinds = {x.kind for x in model.layers.values()}
    if (
        "Lazy" in edit.original
        or any(k.startswith(("Adaptive", "adaptive_")) for k in kinds)
        or re.search(r"\.mean\(\s*(dim=)?[\(\[]", edit.original)
    ):
        return
    side = _side(model)
    flat = [x for x in model.layers.values() if x.kind == "Flatten"]
    if flat and not called(edit, flat[0].name):
        call = made(edit, case, flat[0].name)
        _insert_before(edit, call, side)
        return
    calls = [c for _, c in edit.all_calls(*FLATTENING) if _in_forward(edit, c)]
    if not calls:
        raise CannotEditError("It is not seen where the map is flattened.")
    call = calls[0]
    is_function = (
        isinstance(call.func, cst.Attribute)
        and isinstance(call.func.value, cst.Name)
        and call.func.value.value == "torch"
    )
    given = call.args[0].value if is_function else call.func.value if isinstance(call.func, cst.Attribute) else None
    if given is None:
        raise CannotEditError("It is not seen what is flattened.")
    name = function(edit, "adaptive_max_pool2d") if "F." in edit.original else "torch.nn.functional.adaptive_max_pool2d"
    edit.wrap(given, f"{name}({{}}, {side})")


def _insert_before(edit: ScriptEdit, call: cst.Call, side: int) -> None:
    item = edit.parent(call)
    whole = edit.parent(item) if item is not None else None
    items = list(whole.args if isinstance(whole, cst.Call) else getattr(whole, "elements", ()))
    if item not in items or items.index(item) == 0:
        raise CannotEditError("The Flatten stands in no list.")
    edit.insert_item(items[items.index(item) - 1].value, module(edit, call, f"AdaptiveMaxPool2d({side})"))


def _in_forward(edit: ScriptEdit, call: cst.Call) -> bool:
    return any(
        isinstance(a, cst.FunctionDef) and a.name.value not in ("__init__", "__getitem__") for a in edit.above(call)
    ) and any(isinstance(a, cst.ClassDef) for a in edit.above(call))


def _side(model: ModelSeen) -> int:
    """The side of the map that the first linear layer is made for."""
    convolutions = [x for x in model.layers.values() if x.kind in CONVOLUTIONS]
    linear = [x for x in model.layers.values() if x.kind == "Linear"]
    if not convolutions or not linear:
        raise CannotEditError("There is no layer behind the convolutions.")
    width, channels = linear[0].options.get("in_features"), convolutions[-1].options.get("out_channels")
    if not isinstance(width, int) or not isinstance(channels, int) or width % channels:
        raise CannotEditError("The sizes do not fit each other.")
    side = math.isqrt(width // channels)
    if side * side * channels != width:
        raise CannotEditError("The map is not square.")
    return side
