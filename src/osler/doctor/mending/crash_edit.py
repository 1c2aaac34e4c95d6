"""Places of a program that stopped: the layer that was running, where it is called, the network's calls and the loss's."""

import ast
import re

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.crash import failing_layer
from osler.doctor.mending.layer_edit import is_shared, made
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name
from osler.doctor.mending.value_edit import put
from osler.doctor.script_reading import CallRead, dotted
from osler.vitals.evidence import LayerSeen

LOSSES = re.compile(r"(?:Loss|_loss|cross_entropy\w*)$")
REAL_LOSSES = re.compile(r"(?:MSE|L1|Huber|BCE)\w*Loss$|(?:mse|l1|smooth_l1|huber)_loss$|binary_cross_entropy\w*$")


def crash_line(case: Case) -> int:
    """The last line of the program in the traceback.

    Raises:
        CannotEditError: there is none.
    """
    site = case.evidence.ending.site
    if site is None:
        raise CannotEditError("It is not known where the program stopped.")
    return site.line


def running_layer(case: Case) -> LayerSeen:
    """The layer that was running.

    Raises:
        CannotEditError: none was.
    """
    layer = failing_layer(case)
    if layer is None:
        raise CannotEditError("No layer was running.")
    return layer


def set_width_there(edit: ScriptEdit, case: Case, layer: str, name: str, place: int, width: int) -> None:
    """Gives a width of one layer another number, in its own call: a name that stands there may be meant for others too.

    Raises:
        CannotEditError: one call makes several such layers, or the width is not given.
    """
    call = made(edit, case, layer)
    if is_shared(case, layer):
        raise CannotEditError("One call makes several such layers.")
    plain = [a for a in call.args if a.keyword is None and not a.star]
    named = [a for a in call.args if a.keyword is not None and a.keyword.value == name]
    if not named and place >= len(plain):
        raise CannotEditError(f"{name} is not given.")
    edit.replace((named or [plain[place]])[0].value, str(width))


def calls_in(edit: ScriptEdit, line: int) -> list[cst.Call]:
    """The calls in the statement at a line, in the order in which they begin."""
    statement = edit.statement(line)
    if not isinstance(statement, cst.SimpleStatementLine):
        return edit.calls(line)
    return [call for _, call in edit.every(cst.Call) if statement in edit.above(call)]


def call_of_layer(edit: ScriptEdit, case: Case, layer: LayerSeen) -> cst.Call:
    """The call of a layer, or of what holds it, at the line at which the program stopped.

    Raises:
        CannotEditError: it is not found.
    """
    parts = [p for p in layer.name.split(".") if p and not p.isdigit()]
    models = {m.name for m in case.evidence.models}
    for name in (*reversed(parts), *models):
        for call in calls_in(edit, crash_line(case)):
            indexed = isinstance(call.func, cst.Subscript) and edit.code(call.func).partition("[")[0].endswith(name)
            if (last_name(call.func) == name or indexed) and call.args:
                return call
    raise CannotEditError("The call of the layer is not found.")


def change_given(edit: ScriptEdit, case: Case, layer: LayerSeen, form: str) -> None:
    """Changes what a layer is given where the program stopped; where that is the network itself, at all of its calls.

    Raises:
        CannotEditError: the call is not found.
    """
    call = call_of_layer(edit, case, layer)
    name = edit.code(call.func)
    same = [c for c in case.script.calls if c.name == name and c.node.args]
    for each in same:
        put(edit, each.node.args[0], form)
    if not same:
        edit.wrap(call.args[0].value, form)


def change_inputs(edit: ScriptEdit, case: Case, form: str) -> None:
    """Changes what the network is given: at the top of its `forward` where the script has it, else at its calls.

    Raises:
        CannotEditError: neither is found.
    """
    for model in case.evidence.models:
        node = case.script.classes().get(model.kind)
        functions = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "forward"] if node else []
        if functions and len(functions[0].args.args) > 1:
            body = functions[0].body
            first = next(
                (s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))), body[0]
            )
            name = functions[0].args.args[1].arg
            edit.insert_before(first.lineno, f"{name} = {form.replace('{}', name, 1)}")
            return
    names = {n for m in case.evidence.models for n in (m.name, f"self.{m.name}")}
    calls = [c for c in case.script.calls if c.name in names and c.node.args]
    if not calls:
        raise CannotEditError("The calls of the network are not found.")
    for call in calls:
        put(edit, call.node.args[0], form)


def network_calls(case: Case) -> list[CallRead]:
    """The calls of networks by their names."""
    names = {n for m in case.evidence.models for n in (m.name, f"self.{m.name}")}
    return [c for c in case.script.calls if c.name in names and c.node.args]


def loss_calls(case: Case, pattern: re.Pattern[str] = LOSSES) -> list[CallRead]:
    """The calls of losses with an output and a target: of functions, of modules that are kept, of modules made there."""
    kept = {
        name
        for a in case.script.assignments
        if isinstance(a.value, ast.Call) and pattern.search(dotted(a.value.func))
        for name in a.names
    }
    kept |= {name.partition(".")[2] for name in kept if name.startswith("self.")}
    return [
        c
        for c in case.script.calls
        if len(c.node.args) >= 2
        and (c.name in kept or pattern.search(c.name) or pattern.search(c.name.removesuffix("()")) is not None)
        and not (c.last[:1].isupper() and c.last.endswith("Loss"))
    ]


def change_targets_of_losses(edit: ScriptEdit, case: Case, form: str, pattern: re.Pattern[str] = LOSSES) -> None:
    """Changes what losses are given as targets.

    Raises:
        CannotEditError: no loss is found.
    """
    calls = loss_calls(case, pattern)
    if not calls:
        raise CannotEditError("The call of the loss is not found.")
    for call in calls:
        put(edit, call.node.args[1], form)
