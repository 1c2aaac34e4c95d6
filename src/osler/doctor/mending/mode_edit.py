"""The calls that put a network into training or evaluation mode, written where they belong."""

import ast

from osler.doctor.case import Case
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.script_reading import dotted
from osler.doctor.training_loop import enclosing_function, epoch_loop
from osler.vitals.evidence import ModelSeen, Site

Loop = ast.For | ast.While
OFF = ("no_grad", "inference_mode", "set_grad_enabled")


def network_name(case: Case, model: ModelSeen, site: Site) -> str:
    """What a network is called at the line where it is called.

    Raises:
        CannotEditError: it has no name there.
    """
    for moment in ("train", "evaluate"):
        for call, _ in case.lines.network_calls(model, "train" if moment == "train" else "evaluate"):
            name = dotted(call.func)
            if call.lineno <= site.line <= (call.end_lineno or call.lineno) and name and "()" not in name:
                return name
    raise CannotEditError("The network has no name there.")


def training_site(model: ModelSeen) -> Site:
    """Where a network is called most often to learn.

    Raises:
        CannotEditError: nowhere.
    """
    sites = [c.site for c in model.calls if c.moment == "train" and c.site is not None]
    if not sites:
        raise CannotEditError("It is not known where the network learns.")
    return max(set(sites), key=sites.count)


def loops_at(case: Case, line: int) -> list[Loop]:
    """The loops of the same function around a line, the outermost first."""
    function = enclosing_function(case.script, line)
    begin = function.lineno if function is not None else 0
    found = [
        node
        for node in ast.walk(case.script.tree)
        if isinstance(node, (ast.For, ast.While)) and begin <= node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return sorted(found, key=lambda node: node.lineno)


def set_training(edit: ScriptEdit, case: Case, model: ModelSeen) -> None:
    """Puts the network into training mode before each epoch's steps; before each step where one of these may evaluate.

    Raises:
        CannotEditError: it is not known where it learns.
    """
    site = training_site(model)
    name = network_name(case, model, site)
    loops = loops_at(case, site.line)
    call = f"{name}.train()"
    if not loops:
        edit.insert_before(site.line, call)
        return
    inner = loops[-1]
    if len(loops) > 1 and _evaluates(case, model, inner):
        edit.insert_before(inner.body[0].lineno, call)
    elif len(loops) > 1 or epoch_loop(case) is inner:
        edit.insert_before(loops[0].body[0].lineno, call)
    else:
        edit.insert_before(loops[0].lineno, call)


def _evaluates(case: Case, model: ModelSeen, loop: Loop) -> bool:
    """Whether a network is evaluated, or put into evaluation mode, within a loop, there or in a function that it calls."""
    held = _held(case, loop)
    if any(isinstance(c, ast.Call) and dotted(c.func).endswith(".eval") for node in held for c in ast.walk(node)):
        return True
    lines = {c.site.line for c in model.calls if c.moment == "evaluate" and c.site is not None}
    return any(node.lineno <= line <= (node.end_lineno or node.lineno) for node in held for line in lines)


def _held(case: Case, loop: Loop) -> list[Loop | ast.FunctionDef | ast.AsyncFunctionDef]:
    """A loop, and the functions of the script that it calls."""
    called = {dotted(c.func).rpartition(".")[2] for c in ast.walk(loop) if isinstance(c, ast.Call)}
    return [loop, *(f for n, f in case.script.functions().items() if n.rpartition(".")[2] in called)]


def sets_training(case: Case) -> bool:
    """Whether the network is put into training mode within the loop over epochs, there or in a function that it calls."""
    loop = epoch_loop(case)
    if loop is None:
        return False
    return any(
        isinstance(c, ast.Call) and dotted(c.func).endswith(".train") and "False" not in ast.unparse(c)
        for node in _held(case, loop)
        for c in ast.walk(node)
    )


def set_evaluation(edit: ScriptEdit, case: Case, model: ModelSeen, site: Site) -> None:
    """Puts the network into evaluation mode before the pass at `site`, and back before training goes on.

    Raises:
        CannotEditError: the network has no name there.
    """
    name = network_name(case, model, site)
    begin = _outermost(case, model, site)
    edit.insert_before(begin, f"{name}.eval()")
    if not sets_training(case):
        set_training(edit, case, model)


def _outermost(case: Case, model: ModelSeen, site: Site) -> int:
    """The line of the outermost loop or `with` around an evaluation that holds no training step."""
    function = enclosing_function(case.script, site.line)
    begin = function.lineno if function is not None else 0
    training = training_site(model).line
    around = [
        node
        for node in ast.walk(case.script.tree)
        if isinstance(node, (ast.For, ast.While, ast.With))
        and begin < node.lineno <= site.line <= (node.end_lineno or node.lineno)
        and not node.lineno <= training <= (node.end_lineno or node.lineno)
        and not _holds_epochs(case, node)
    ]
    return min((node.lineno for node in around), default=site.line)


def _holds_epochs(case: Case, node: ast.AST) -> bool:
    return any(part is epoch_loop(case) for part in ast.walk(node))
