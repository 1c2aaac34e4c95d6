"""Norm layers put behind layers of a program."""

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.layer_edit import made, model_with, module, put_behind
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit

KINDS = {"Linear": "BatchNorm1d", "Conv1d": "BatchNorm1d", "Conv2d": "BatchNorm2d", "Conv3d": "BatchNorm3d"}


def put_norms(edit: ScriptEdit, case: Case, names: list[str]) -> None:
    """Puts a batch norm behind each of these layers, of the kind that is made for its output; rows of sequences get LayerNorm.

    Raises:
        CannotEditError: it is not known which norm fits, or how wide it has to be.
    """
    done: list[cst.Call] = []
    for name in names:
        _, seen = model_with(case, name)
        kind = KINDS.get(seen.kind)
        if kind is None:
            raise CannotEditError("It is not known which norm fits.")
        if seen.kind == "Linear" and len(seen.output_shape or ()) != 2:
            kind = "LayerNorm"
        call = made(edit, case, name)
        if call in done:
            continue
        done.append(call)
        width = next((a.value for a in call.args if a.keyword is not None and a.keyword.value.startswith("out_")), None)
        if width is None and len(call.args) < 2:
            raise CannotEditError("The layer's width is not given.")
        code = f"{kind}({edit.code(width if width is not None else call.args[1].value)})"
        if "." in name or name.isdigit():
            put_behind(edit, case, name, code)
        else:
            edit.wrap(call, f"{module(edit, call, 'Sequential')}({{}}, {module(edit, call, code)})")
