"""Gradients are cleared in every iteration."""

import ast
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.update_edit import add_brackets, put_in_order, update
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding


@prescribes("missing-zero-grad")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """`zero_grad()` before `backward()`: written, given its brackets, or moved into the loop."""
    stepping = [o for o in case.evidence.optimizers if o.step_sites]
    if not stepping:
        yield Prescription(
            "clear the gradients", "Clear each gradient after it was used.", lambda edit: _by_hand(edit, case)
        )
    seen = update(case, max(stepping, key=lambda o: o.stale_steps, default=None))

    def change(edit: ScriptEdit) -> None:
        if not (_is_named(case) and add_brackets(edit, case, "zero_grad")):
            put_in_order(edit, case, seen)

    yield Prescription(
        "clear the gradients", f"Call {seen.optimizer}.zero_grad() in every iteration, before backward().", change
    )


def _by_hand(edit: ScriptEdit, case: Case) -> None:
    """`p.grad.zero_()` behind each statement that changes `p` by its gradient.

    Raises:
        CannotEditError: there is none.
    """
    found = False
    for node in ast.walk(case.script.tree):
        if isinstance(node, ast.AugAssign):
            name, value = dotted(node.target), node.value
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and dotted(node.value.func).endswith("_"):
            name, value = dotted(node.value.func).rpartition(".")[0], node.value
        else:
            continue
        name = name.removesuffix(".data")
        if (
            name
            and f"{name}.grad" in ast.unparse(value)
            and not dotted(getattr(value, "func", value)).startswith(f"{name}.grad")
        ):
            edit.insert_after(node.lineno, f"{name}.grad.zero_()")
            found = True
    if not found:
        raise CannotEditError("No update by hand is found.")


def _is_named(case: Case) -> bool:
    return any(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and node.value.attr == "zero_grad"
        for node in ast.walk(case.script.tree)
    )
