"""A rate above 0, updates that are written back, and no resets while training."""

import ast
from collections.abc import Iterator

import libcst as cst
import numpy as np

from osler.doctor.case import Case
from osler.doctor.mending.number_edit import third
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.rate_edit import replace_rate
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.statement_edit import remove_call
from osler.doctor.mending.update_edit import put_in_order, update
from osler.doctor.script_reading import dotted
from osler.doctor.update_sizes import is_adaptive
from osler.structures.finding import Finding
from osler.vitals.evidence import OptimizerSeen

IN_PLACE = ("add", "sub", "mul", "addcmul", "addcdiv", "subtract", "lerp")
RESETS = ("load_state_dict", "reset_parameters", "apply")
USUAL, USUAL_ADAPTIVE = "0.01", "0.001"
SHARE, BOUNDS = 3e-3, (1e-3, 0.3)  # of the weights that an update changes; lowest and highest rate


@prescribes("no-update")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """A usual rate where it is 0; the update in place; resets taken out of the loop; else the calls of the update in order."""
    stepping = [o for o in case.evidence.optimizers if o.steps]
    still = [o for o in stepping if max((rate for _, rate in o.rates), default=1.0) == 0]
    if still:
        text = _usual(still[0])
        told = f"Set the learning rate to {text} in place of 0."
        yield Prescription(
            "connect the update", told, lambda edit: replace_rate(edit, case, still[0], text), choice="learning rate"
        )
    yield Prescription("write the update back", "Change the parameters in place.", lambda edit: write_back(edit, case))
    yield Prescription(
        "look for resets", "Do not put the first weights back while training.", lambda edit: no_resets(edit, case)
    )

    def order(edit: ScriptEdit) -> None:
        seen = update(case, stepping[0] if stepping else None)
        put_in_order(edit, case, seen)

    yield Prescription(
        "put the calls in order", "In every iteration: zero_grad(), then backward(), then step().", order
    )


def _usual(optimizer: OptimizerSeen) -> str:
    """A rate at which a gradient of the size seen changes the weights by a usual share; of an adaptive optimizer its own."""
    if is_adaptive(optimizer):
        return USUAL_ADAPTIVE
    units = [
        sample.gradients[n] / sample.weights[n]
        for sample in optimizer.samples[:10]
        for n in sample.gradients
        if sample.weights.get(n, 0.0) > 1e-9 and sample.gradients[n] > 0
    ]
    return third(float(np.clip(SHARE / np.median(units), *BOUNDS))) if units else USUAL


def write_back(edit: ScriptEdit, case: Case) -> None:
    """`p = p - lr * p.grad` becomes `p -= lr * p.grad`, `p.data.sub(...)` becomes `p.data.sub_(...)`.

    Raises:
        CannotEditError: no such statement is there.
    """
    changed = False
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and "grad" in ast.unparse(node.value):
            changed |= _assigned(edit, node)
        elif (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
        ):
            if node.value.func.attr in IN_PLACE and "grad" in ast.unparse(node.value):
                edit.change(edit.at(node.value.func), _with_underscore)
                changed = True
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.BinOp) and "grad" in ast.unparse(node.value):
            changed |= _in_place(edit, node.value, node.lineno, ast.unparse(node.value.left))
    if not changed:
        raise CannotEditError("No update is written out.")


def _with_underscore(node: cst.Attribute) -> cst.Attribute:
    return node.with_changes(attr=cst.Name(node.attr.value + "_"))


def _assigned(edit: ScriptEdit, node: ast.Assign) -> bool:
    target, value = node.targets[0], node.value
    if isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Sub, ast.Add)):
        base = dotted(value.left).removesuffix(".data").removesuffix(".detach()")
        if isinstance(target, ast.Name) and dotted(target) == base:
            return _in_place(edit, value, node.lineno, base)
    if isinstance(value, ast.ListComp) and isinstance(value.elt, ast.BinOp) and len(value.generators) == 1:
        step, each = value.elt, value.generators[0]
        sign = "-" if isinstance(step.op, ast.Sub) else "+"
        edit.replace_statement(
            node.lineno,
            f"for {ast.unparse(each.target)} in {ast.unparse(each.iter)}:\n"
            f"    {dotted(step.left).removesuffix('.data')}.data {sign}= {ast.unparse(step.right)}",
        )
        return True
    return False


def _in_place(edit: ScriptEdit, value: ast.BinOp, line: int, base: str) -> bool:
    """`base -= right`; of a parameter its data where gradients are recorded."""
    if not isinstance(value.op, (ast.Sub, ast.Add)):
        return False
    sign = "-" if isinstance(value.op, ast.Sub) else "+"
    bare = base.removesuffix(".data")
    name = base if _without_gradient(edit, line) else f"{bare}.data"
    edit.replace_statement(line, f"{name} {sign}= {edit.code(edit.at(value.right))}")
    return True


def _without_gradient(edit: ScriptEdit, line: int) -> bool:
    """Whether a line stands where no gradient is recorded."""
    for above in edit.above(edit.statement(line)):
        if isinstance(above, cst.With) and any("no_grad" in edit.code(item.item) for item in above.items):
            return True
        if isinstance(above, cst.FunctionDef):
            return any("no_grad" in edit.code(d.decorator) for d in above.decorators)
    return False


def no_resets(edit: ScriptEdit, case: Case) -> None:
    """Takes calls that put weights back out of loops.

    Raises:
        CannotEditError: there are none.
    """
    resets = [c for c in case.script.calls_of(*RESETS) if c.loop and (c.last != "apply" or c.node.args)]
    taken = [remove_call(edit, call.node) for call in resets]
    if not any(taken):
        raise CannotEditError("Nothing puts weights back in a loop.")
