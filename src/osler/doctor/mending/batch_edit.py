"""The batch size of the training changed where its number is written."""

import ast

from osler.doctor.case import Case
from osler.doctor.mending.number_edit import number, set_number, set_setting
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import CallRead

DRAWING = ("randint", "choice", "sample", "integers", "split", "randperm", "batch", "get_batch", "next_batch")


def set_batch_size(edit: ScriptEdit, case: Case, size: int, now: int | None) -> None:
    """Gives the training's batches another size: of its loader, of the slices or of the draws that make them.

    Raises:
        CannotEditError: the number is not found.
    """
    loaders = [x for x in case.evidence.loaders if x.used_for["train"] and x.site is not None]
    if loaders:
        loader = max(loaders, key=lambda x: x.used_for["train"])
        set_setting(edit, case.script, loader.site, ("DataLoader",), "batch_size", 1, str(size))
        return
    if now is None:
        raise CannotEditError("The size of the batches is not known.")
    for value, function in (*_slices(case), *_draws(case), *_named(case)):
        if number(case.script, value, function) == now:
            set_number(edit, case.script, value, function, str(size))
            return
    raise CannotEditError("The size of the batches is nowhere written.")


def _slices(case: Case) -> list[tuple[ast.expr, str]]:
    """What slices add to their start, `x[i:i + size]`, and the strides of ranges, `range(0, n, size)`."""
    found: list[tuple[ast.expr, str]] = []
    for call in case.script.calls_of("range", "arange"):
        if len(call.node.args) == 3:
            found.append((call.node.args[2], call.function))
    return found


def _draws(case: Case) -> list[tuple[ast.expr, str]]:
    """What is given to draws of indices, to `split` and to functions that make batches; those in loops first."""
    calls: list[CallRead] = sorted(case.script.calls_of(*DRAWING), key=lambda c: not c.loop)
    found: list[tuple[ast.expr, str]] = []
    for call in calls:
        for value in (*call.node.args, *(k.value for k in call.node.keywords)):
            found += [(part, call.function) for part in (value.elts if isinstance(value, ast.Tuple) else [value])]
    return found


def _named(case: Case) -> list[tuple[ast.expr, str]]:
    """Numbers under names that say so, `batch_size = 4`."""
    return [
        (a.value, a.function)
        for a in case.script.assignments
        if any("batch" in name.lower() or name.lower() in ("bs", "bsz") for name in a.names)
        and isinstance(a.value, ast.Constant)
    ]
