"""Clipping of the gradients' norm, put before the step."""

import re

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.update_edit import most_used_line, optimizer_name
from osler.vitals.evidence import OptimizerSeen


def clip(edit: ScriptEdit, case: Case, optimizer: OptimizerSeen, limit: str = "1.0") -> None:
    """Puts `clip_grad_norm_` before the optimizer's step; gradients that a scaler multiplied are divided again before.

    Raises:
        CannotEditError: the step is not found, or what the parameters are called there.
    """
    line = most_used_line(optimizer.step_sites)
    if line is None:
        raise CannotEditError("It is not known where the optimizer steps.")
    statement = edit.statement(line)
    if not isinstance(statement, cst.SimpleStatementLine):
        raise CannotEditError("The step stands in a larger statement.")
    name = optimizer_name(case, line, optimizer)
    code = f"torch.nn.utils.clip_grad_norm_({_parameters(edit, case, line, name, optimizer)}, {limit})"
    scaled = re.search(r"([\w.]+)\.step\(\s*([\w.]+)\s*\)", edit.code(statement))
    if scaled and "unscale_" not in edit.original:
        code = f"{scaled[1]}.unscale_({scaled[2]})\n{code}"
    if not re.search(r"^\s*import .*\btorch\b(?!\.)", edit.original, re.MULTILINE):
        edit.add_import("import torch")
    edit.insert_before(line, code)


def _parameters(edit: ScriptEdit, case: Case, line: int, name: str, optimizer: OptimizerSeen) -> str:
    """What holds the parameters, by a name that the step's line knows: the network, else the optimizer's own groups."""
    step = next((c for c in case.script.calls_of("step") if c.line == line), None)
    made = next((c for c in case.script.calls if optimizer.site is not None and c.line == optimizer.site.line), None)
    text = edit.code(edit.statement(made.line)) if made is not None else ""
    networks = re.findall(r"([\w.]+)\.(?:named_)?parameters\(\)", text)
    known = (
        made is not None
        and step is not None
        and (made.function in ("", step.function) or networks[:1] == ["self.model"])
    )
    if known and len(networks) == 1 and "lambda" not in text:
        return f"{networks[0]}.parameters()"
    groups = len(optimizer.options)
    if groups > 1:
        return f"[p for group in {name}.param_groups for p in group['params']]"
    return f"{name}.param_groups[0]['params']"
