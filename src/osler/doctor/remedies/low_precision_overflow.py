"""Numbers kept wide: float32, or bfloat16 where 16 bits are wanted."""

import re
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.layer_edit import unwrap
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, with_argument
from osler.structures.finding import Finding

CHOICE = "precision"


@prescribes("low-precision-overflow")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """float32 everywhere; else bfloat16, whose range is that of float32."""
    yield Prescription(
        "keep the weights in float32", "Compute in float32.", lambda e: _wide(e, "float32"), choice=CHOICE
    )
    yield Prescription(
        "use bfloat16", "Use bfloat16 in place of float16.", lambda e: _wide(e, "bfloat16"), choice=CHOICE
    )


def _wide(edit: ScriptEdit, kind: str) -> None:
    """`x.half()` becomes `x`, `torch.float16` another type; numpy has no bfloat16."""
    changed = False
    for _, call in edit.all_calls("half", "bfloat16"):
        if isinstance(call.func, cst.Attribute) and not call.args and call.func.attr.value != kind:
            if kind == "float32":
                unwrap(edit, call)
            else:
                edit.change(call.func, lambda now: now.with_changes(attr=cst.Name("bfloat16")))
            changed = True
    for _, node in edit.every(cst.Attribute):
        if (
            node.attr.value in ("float16", "half", "bfloat16")
            and isinstance(node.value, cst.Name)
            and node.attr.value != kind
        ):
            wide = "float32" if node.value.value in ("np", "numpy") else kind
            if isinstance(edit.parent(node), cst.Call) and node is getattr(edit.parent(node), "func", None):
                continue
            edit.replace(node, f"{node.value.value}.{wide}")
            changed = True
    if kind == "float32":
        changed |= _no_autocast(edit)
    for _, call in edit.all_calls("HalfTensor"):
        edit.change(
            call.func,
            lambda now: now.with_changes(attr=cst.Name("FloatTensor" if kind == "float32" else "BFloat16Tensor")),
        )
        changed = True
    if not changed:
        raise CannotEditError("No 16 bits are asked for.")


def _no_autocast(edit: ScriptEdit) -> bool:
    """Switches autocast off: its own option says so."""
    changed = False
    for _, call in edit.all_calls("autocast"):
        if re.search(r"enabled\s*=", edit.code(call)) is None:
            edit.change(call, lambda now: with_argument(now, "enabled", "False"))
            changed = True
    return changed
