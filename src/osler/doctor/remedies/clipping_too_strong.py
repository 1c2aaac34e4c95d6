"""A limit of the clipping near the norms that gradients have, or no clipping."""

import ast
from collections.abc import Iterator

import numpy as np

from osler.doctor.case import Case
from osler.doctor.mending.number_edit import set_number, set_setting
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.statement_edit import remove_call
from osler.doctor.settings import call_at
from osler.structures.finding import Finding
from osler.vitals.evidence import Clipping, Site

HIGH = 0.9  # quantile of the norms seen
LIMITS = ("max_norm", "clip_value")
CHOICE = "clipping"


@prescribes("clipping-too-strong")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The 90th percentile of the norms as the limit; else no clipping."""
    for clipping in case.evidence.clippings:
        if clipping.site is not None:
            if clipping.kind == "norm":
                yield _raised(case, clipping)
            yield _left_out(case, clipping.site)
            return
    for call in case.script.calls_of("clamp_", "clip_"):
        if ".grad" in call.name:
            yield _left_out(case, Site(case.evidence.script, call.line))
            return


def _raised(case: Case, clipping: Clipping) -> Prescription:
    totals = [t for t in clipping.totals if np.isfinite(t)]
    limit = f"{float(np.quantile(totals, HIGH)) if totals else 1.0:.1g}"

    def change(edit: ScriptEdit) -> None:
        set_setting(edit, case.script, clipping.site, ("clip_grad_norm_",), "max_norm", 1, limit)

    return Prescription(
        "raise the limit",
        f"Set the limit of the clipping to {limit} in place of {clipping.limit:g}.",
        change,
        choice=CHOICE,
    )


def _left_out(case: Case, site: Site) -> Prescription:
    def change(edit: ScriptEdit) -> None:
        call = call_at(
            case.script,
            site,
            "clip_grad_norm_",
            "clip_grad_norm",
            "clip_grad_value_",
            "clip_grad_value",
            "clamp_",
            "clip_",
        )
        if call is None:
            raise CannotEditError("No clipping stands there.")
        if remove_call(edit, call.node):
            return
        limits: list[ast.expr] = [*call.node.args[1:2], *(k.value for k in call.node.keywords if k.arg in LIMITS)]
        if not limits:
            raise CannotEditError("What clips is used for more.")
        set_number(edit, case.script, limits[0], call.function, "1e9")

    return Prescription("leave clipping out", f"Leave out the clipping at line {site.line}.", change, choice=CHOICE)
