"""How long a program trains, changed where that number is written."""

import ast
import math

from osler.doctor.case import Case
from osler.doctor.mending.number_edit import number, set_number
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.doctor.training_loop import enclosing_function, epoch_loop


def scale_length(edit: ScriptEdit, case: Case, factor: float) -> tuple[int, int]:
    """Multiplies the number of epochs, or of steps; what it was, and what it is.

    Raises:
        CannotEditError: it is nowhere written as a number.
    """
    loop = epoch_loop(case)
    if loop is None:
        raise CannotEditError("There is no loop over epochs.")
    function = enclosing_function(case.script, loop.lineno)
    within = next((n for n, f in case.script.functions().items() if f is function), "")
    bound = _bound(loop)
    for value in _numbers(bound):
        now = number(case.script, value, within)
        if now is not None and now >= 1:
            new = max(1, math.ceil(now * factor)) if factor < 1 else round(now * factor)
            if new != now:
                set_number(edit, case.script, value, within, str(new))
                return int(now), new
    raise CannotEditError("The number of epochs is not written.")


def _bound(loop: ast.For | ast.While) -> ast.expr | None:
    """What the loop counts to: the N of `range(N)`, of `range(1, N + 1)`, of `while step < N`."""
    if isinstance(loop, ast.While):
        return loop.test.comparators[0] if isinstance(loop.test, ast.Compare) else None
    counted: ast.expr = loop.iter
    while isinstance(counted, ast.Call) and counted.args:
        if dotted(counted.func).rpartition(".")[2] in ("range", "trange"):
            return counted.args[min(1, len(counted.args) - 1)]
        counted = counted.args[0]
    return None


def _numbers(bound: ast.expr | None) -> list[ast.expr]:
    """The bound itself, or the parts of `N + 1`, names first."""
    if bound is None:
        return []
    if isinstance(bound, ast.BinOp):
        return sorted((bound.left, bound.right), key=lambda n: isinstance(n, ast.Constant))
    return [bound]
