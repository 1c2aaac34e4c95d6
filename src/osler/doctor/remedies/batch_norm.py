"""Batch norms with enough to measure, or a norm that needs no other samples; and statistics that move."""

import ast
import math
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.layer_places import BATCH_NORMS
from osler.doctor.mending.layer_edit import module
from osler.doctor.mending.number_edit import set_setting
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, with_argument, without_argument
from osler.doctor.mending.statement_edit import remove_call
from osler.doctor.remedies.batch_size import USUAL, resized
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding
from osler.vitals.evidence import LayerSeen

GROUPS = 8
USUAL_MOMENTUM = "0.1"
LEAST_MOMENTUM = 0.01


# ---- tiny batches


@prescribes("small-batch-norm")
def enough(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Larger batches; else GroupNorm or LayerNorm; where a batch of one stopped the program, without the last batch."""
    if case.evidence.ending.how == "crashed":
        yield from _drop_last(case)
    yield resized(case, USUAL, "enlarge the batch")
    norms = _norms(case)
    if norms:
        yield Prescription(
            "change the norm", "Use GroupNorm or LayerNorm in place of batch norm.", lambda e: _other_norm(e, norms)
        )


def _norms(case: Case) -> list[LayerSeen]:
    return [x for m in case.evidence.models for x in m.layers.values() if x.kind in BATCH_NORMS]


def _drop_last(case: Case) -> Iterator[Prescription]:
    loaders = [
        x for x in case.evidence.loaders if x.site is not None and (x.used_for["train"] or x.sampler == "RandomSampler")
    ]
    if loaders:
        site = loaders[0].site
        yield Prescription(
            "leave out the last batch", "Give the training's DataLoader drop_last=True.",
            lambda e: set_setting(e, case.script, site, ("DataLoader",), "drop_last", 8, "True"),
        )  # fmt: skip


def _other_norm(edit: ScriptEdit, norms: list[LayerSeen]) -> None:
    """`BatchNorm2d(c)` becomes `GroupNorm(8, c)`; of matrices `BatchNorm1d(c)` becomes `LayerNorm(c)`."""
    lines = {(x.site.line, x.kind) for x in norms if x.site is not None}
    for line, kind in sorted(lines):
        here = [x for x in norms if x.site is not None and (x.site.line, x.kind) == (line, kind)]
        flat = all(len(x.input_shape or (0, 0)) == 2 for x in here)
        groups = math.gcd(GROUPS, *(int(x.options.get("num_features", 1)) for x in here))
        calls = edit.calls(line, kind)
        if not calls:
            raise CannotEditError("The norms are made in another way.")
        for call in calls:
            if not call.args:
                raise CannotEditError("The norm's width is not given.")
            width = edit.code(call.args[0].value)
            edit.replace(call, module(edit, call, f"LayerNorm({width})" if flat else f"GroupNorm({groups}, {width})"))


# ---- statistics that do not move


@prescribes("frozen-norm-statistics")
def moving(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The usual momentum, or the norm layers left in training mode."""
    yield Prescription("use the usual momentum", f"Use momentum={USUAL_MOMENTUM}.", lambda e: _usual_momentum(e, case))
    yield Prescription(
        "train the norm layers too",
        "Leave the norm layers in training mode.",
        lambda e: _not_still(e, case, finding.where.line),
    )


def _usual_momentum(edit: ScriptEdit, case: Case) -> None:
    changed = False
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [dotted(t).rpartition(".")[2] for t in node.targets if isinstance(t, ast.Attribute)]
            if "momentum" in names and _is_low(node.value.value):
                edit.replace(edit.at(node.value), USUAL_MOMENTUM)
                changed = True
            elif "track_running_stats" in names and node.value.value is False:
                edit.replace(edit.at(node.value), "True")
                changed = True
    lines = {(x.site.line, x.kind) for x in _norms(case) if x.site is not None and _is_low(x.options.get("momentum"))}
    for line, kind in sorted(lines) if not changed else ():
        for call in edit.calls(line, kind):
            edit.change(call, _with_momentum)
            changed = True
    for _, call in edit.all_calls(*BATCH_NORMS):
        if any(a.keyword is not None and a.keyword.value == "track_running_stats" for a in call.args):
            edit.change(call, lambda now: without_argument(now, "track_running_stats"))
            changed = True
    if not changed:
        raise CannotEditError("No momentum is set.")


def _is_low(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value < LEAST_MOMENTUM


def _with_momentum(call: cst.Call) -> cst.Call:
    """Without the argument where it stands by name, since 0.1 is what torch takes then; else with 0.1 in its place."""
    if any(a.keyword is not None and a.keyword.value == "momentum" for a in call.args):
        return without_argument(call, "momentum")
    return with_argument(call, "momentum", USUAL_MOMENTUM, 2)


def _not_still(edit: ScriptEdit, case: Case, line: int | None) -> None:
    """Takes the calls that put the norm layers into evaluation mode out."""
    calls = [c for c in case.script.calls_of("eval", "train") if line is not None and abs(c.line - line) <= 1]
    if not calls or not remove_call(edit, min(calls, key=lambda c: abs(c.line - (line or 0))).node):
        raise CannotEditError("No such call stands there.")
