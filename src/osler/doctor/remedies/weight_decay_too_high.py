"""A usual weight decay, or a penalty in the loss that is smaller than the data's part."""

import ast
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.mending.number_edit import number, set_number, set_setting, setting, written
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding
from osler.vitals.evidence import OptimizerSeen

USUAL, DECOUPLED, PENALTY = "1e-4", "1e-2", "1e-5"
DECAY_PLACE = {"SGD": 4, "Adam": 4, "AdamW": 4, "RMSprop": 4, "NAdam": 4, "RAdam": 4, "Adagrad": 3, "Adadelta": 4}
CHOICE = "weight decay"


@prescribes("weight-decay-too-high")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The usual decay, or none; of a penalty in the loss a far smaller factor."""
    decaying = [o for o in case.evidence.optimizers if any(g.get("weight_decay") for g in o.options)]
    if decaying:
        optimizer = max(decaying, key=lambda o: o.steps)
        usual = DECOUPLED if optimizer.kind == "AdamW" else USUAL
        for text in (usual, "0"):
            yield _decay(case, optimizer, text)
    elif finding.where.line is not None:
        yield _penalty(case, finding.where.line)


def _decay(case: Case, optimizer: OptimizerSeen, text: str) -> Prescription:
    now = max(float(g.get("weight_decay") or 0.0) for g in optimizer.options)

    def change(edit: ScriptEdit) -> None:
        place = DECAY_PLACE.get(optimizer.kind)
        call, value = setting(case.script, optimizer.site, (optimizer.kind,), "weight_decay", place)
        inner = _of_groups(call.node) if value is None else []
        for each in inner:
            set_number(edit, case.script, each, call.function, text)
        if not inner:
            set_setting(edit, case.script, optimizer.site, (optimizer.kind,), "weight_decay", place, text)

    remedy = "lower the decay" if text != "0" else "leave the decay out"
    return Prescription(remedy, f"Set weight_decay to {text} in place of {now:g}.", change, choice=CHOICE)


def _of_groups(call: ast.Call) -> list[ast.expr]:
    found = []
    for node in ast.walk(call):
        if isinstance(node, ast.Dict):
            found += [
                v
                for k, v in zip(node.keys, node.values, strict=True)
                if isinstance(k, ast.Constant) and k.value == "weight_decay"
            ]
    return found


def _penalty(case: Case, line: int) -> Prescription:
    """The factor before the sum over the weights; the sum may be kept under a name that is used later."""

    def change(edit: ScriptEdit) -> None:
        for value, function in _factors(case, line):
            if number(case.script, value, function) and not _is_power(case, written(case.script, value, function)):
                set_number(edit, case.script, value, function, PENALTY)
                return
        raise CannotEditError("The factor of the penalty is not found.")

    return Prescription(
        "lower the penalty",
        f"Lower the factor of the penalty on the weights to {PENALTY}.",
        change,
        choice=CHOICE,
        changes_loss=True,
    )


def _factors(case: Case, line: int) -> Iterator[tuple[ast.expr, str]]:
    """Factors of products with the penalty: on its own statement, or where its name is used."""
    here = [a for a in case.script.assignments if a.line <= line <= (a.value.end_lineno or a.line)]
    names = {name for a in here for name in a.names}
    function = here[-1].function if here else ""
    for node in ast.walk(case.script.tree):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            continue
        used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        near = node.lineno <= line <= (node.end_lineno or node.lineno)
        if near or (names & used):
            for side in (node.left, node.right):
                if isinstance(side, (ast.Constant, ast.Name, ast.Attribute, ast.Subscript)):
                    yield side, function


def _is_power(case: Case, node: ast.expr) -> bool:
    return any(
        isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow) and node is n.right for n in ast.walk(case.script.tree)
    )
