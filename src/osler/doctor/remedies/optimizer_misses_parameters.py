"""An optimizer made when the network is complete, or given all that is to learn."""

import ast
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.fault import NotSeen
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.statement_edit import Statement, function_around, loops_around, siblings
from osler.doctor.mending.update_edit import optimizer_name
from osler.doctor.script_reading import CallRead, dotted
from osler.doctor.settings import argument, call_at
from osler.structures.finding import Finding
from osler.vitals.evidence import ModelSeen, OptimizerSeen

REGISTERING = ("add_module", "register_module", "setattr", "append", "insert", "extend", "register_parameter")
CHOICE = "parameters of the optimizer"


@prescribes("optimizer-misses-parameters")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The optimizer made later; or given the parameters of the whole network, or of every network; or of what came later."""
    optimizer = _at_fault(finding, case)
    call = call_at(case.script, optimizer.site, optimizer.kind) or call_at(case.script, optimizer.site)
    if call is None:
        return
    held = _held(case, call)

    def later(edit: ScriptEdit) -> None:
        make_later(edit, case, call, held)

    def whole(edit: ScriptEdit) -> None:
        give_whole(edit, case, call)

    yield Prescription(
        "make the optimizer last",
        f"Make the optimizer after {held or 'the network'} is complete.",
        later,
        choice=CHOICE,
    )
    yield Prescription(
        "give it all parameters",
        "Give the optimizer the parameters of everything that is to learn.",
        whole,
        choice=CHOICE,
    )
    yield from _another_group(case, optimizer, held)


def _at_fault(finding: Finding, case: Case) -> OptimizerSeen:
    made = [o for o in case.optimizers if o.site is not None and o.site.line == finding.where.line]
    return made[0] if made else case.optimizers[0]


def _held(case: Case, call: CallRead) -> str:
    """The name of the network whose parameters the optimizer is given: `model` of `model.head.parameters()`."""
    for node in ast.walk(call.node):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in ("parameters", "named_parameters"):
            return _root(case, dotted(node.func).rpartition(".")[0])
    return ""


def _root(case: Case, name: str) -> str:
    """`model` of `model.head`, where `head` is a part of a network."""
    parts = {layer for model in case.evidence.models for layer in model.layers} | {
        ".".join(layer.split(".")[:depth])
        for model in case.evidence.models
        for layer in model.layers
        for depth in (1, 2)
    }
    for part in sorted(parts, key=len, reverse=True):
        if part and name.endswith("." + part):
            return name[: -len(part) - 1]
    return name


# ---- made later


def make_later(edit: ScriptEdit, case: Case, call: CallRead, held: str) -> None:
    """Moves the making of the optimizer behind the last change of the network that it holds, before training begins.

    Raises:
        CannotEditError: nothing of it is changed after the optimizer was made, in the same block.
    """
    if not held:
        raise CannotEditError("It is not known whose parameters the optimizer holds.")
    statement: Statement | None = edit.statement(call.line)
    for _ in range(3):
        if statement is None:
            break
        last = _last_change(edit, statement, held)
        if last is not None:
            _move(edit, statement, last)
            return
        statement = _caller(edit, case, statement)
    raise CannotEditError("The network does not change after the optimizer was made.")


def _last_change(edit: ScriptEdit, statement: Statement, held: str) -> Statement | None:
    """The last statement behind one, in its block and before a loop, that changes the network."""
    block = siblings(edit, statement)
    if statement not in block:
        return None
    found = None
    for later in block[block.index(statement) + 1 :]:
        if isinstance(later, (cst.For, cst.While)) and not _changes(edit, later, held):
            break
        if _changes(edit, later, held):
            found = later
    return found


def _changes(edit: ScriptEdit, statement: Statement, held: str) -> bool:
    """Whether a statement assigns the network, or a part of it, or adds one."""
    tree = ast.parse(edit.code(statement))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [dotted(t) for t in targets]
            made = isinstance(node.value, ast.Call)
            if made and any(n == held or n.startswith((held + ".", held + "[]")) for n in names):
                return True
        elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in REGISTERING:
            given = [dotted(a) for a in node.args[:1]] if dotted(node.func) == "setattr" else [dotted(node.func)]
            if any(g == held or g.startswith((held + ".", held + "[]")) for g in given):
                return True
    return False


def _move(edit: ScriptEdit, statement: Statement, last: Statement) -> None:
    """Moves a statement behind another one, and with it those between that use what it makes."""
    target = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    name = edit.code(target.targets[0].target) if isinstance(target, cst.Assign) else ""
    block = siblings(edit, statement)
    between = block[block.index(statement) + 1 : block.index(last)]
    users = [s for s in between if name and _uses(edit, s, name)]
    for each in (statement, *users):
        edit.move_after(edit.line_of(each), edit.line_of(last))


def _uses(edit: ScriptEdit, statement: Statement, name: str) -> bool:
    return any(
        dotted(n) == name for n in ast.walk(ast.parse(edit.code(statement))) if isinstance(n, (ast.Name, ast.Attribute))
    )


def _caller(edit: ScriptEdit, case: Case, statement: Statement) -> Statement | None:
    """The statement that calls the function in which one stands."""
    function = function_around(edit, statement)
    if function is None:
        return None
    name = function.name.value
    if name == "__init__":
        holder = next((a for a in edit.above(function) if isinstance(a, cst.ClassDef)), None)
        name = holder.name.value if holder is not None else name
    calls = case.script.calls_of(name)
    return edit.statement(calls[0].line) if calls else None


# ---- given more


def give_whole(edit: ScriptEdit, case: Case, call: CallRead) -> None:
    """Gives the optimizer the parameters of the whole network, or of all networks that learn.

    Raises:
        CannotEditError: it holds these already, as far as its text tells.
    """
    given = argument(call, "params", 0)
    if given is None:
        raise CannotEditError("It is not seen what the optimizer is given.")
    wanted = _wanted(case, call)
    if not wanted or ast.unparse(given) == wanted:
        raise CannotEditError("The optimizer is given that already.")
    edit.replace(edit.at(given), wanted)


def _wanted(case: Case, call: CallRead) -> str:
    held = _held(case, call)
    missing = [m for m in case.evidence.models if _is_missed(m)]
    names = [held] if held and not _holds_strangers_only(case, call) else []
    names += [n for m in missing if (n := _visible(case, m, call)) and n not in names]
    if len(names) < 2:
        return f"{names[0]}.parameters()" if names else ""
    return " + ".join(f"list({name}.parameters())" for name in names)


def _is_missed(model: ModelSeen) -> bool:
    """Whether gradients reach a network and no optimizer holds any of it."""
    held = any(p.optimizers or p.moved for p in model.parameters.values())
    return not held and any(
        p.requires_grad and (p.gradients_seen or p.gradient_at_end) for p in model.parameters.values()
    )


def _holds_strangers_only(case: Case, call: CallRead) -> bool:
    seen = [o for o in case.evidence.optimizers if o.site is not None and o.site.line == call.line]
    return bool(seen) and seen[0].strangers > 0 and not seen[0].parameters


def _visible(case: Case, model: ModelSeen, call: CallRead) -> str:
    """The name under which a network can be reached where the optimizer is made."""
    names = {n for a in case.script.assignments if a.function in ("", call.function) for n in a.names}
    names |= {a.arg for name, f in case.script.functions().items() if name == call.function for a in f.args.args}
    for name in (model.name, f"self.{model.name}"):
        if name in names:
            return name
    made = [a for a in case.script.assignments if model.site is not None and a.line == model.site.line and a.names]
    return made[0].names[0] if made else ""


def _another_group(case: Case, optimizer: OptimizerSeen, held: str) -> Iterator[Prescription]:
    """A group for what the network got later, added behind the statement that changes it."""
    if not held:
        return
    later = [
        a for a in case.script.assignments
        if optimizer.site is not None and a.line > optimizer.site.line and isinstance(a.value, ast.Call)
        and any(n.startswith(held + ".") for n in a.names)
    ]  # fmt: skip
    if not later:
        return
    part = later[-1]
    try:
        name = optimizer_name(case, None, optimizer)
    except NotSeen:
        return

    def change(edit: ScriptEdit) -> None:
        statement = edit.statement(part.line)
        if loops_around(edit, statement):
            raise CannotEditError("The part is made in a loop.")
        edit.insert_after(part.line, f'{name}.add_param_group({{"params": {part.names[0]}.parameters()}})')

    yield Prescription(
        "give it the new part", f"Add the parameters of {part.names[0]} to the optimizer.", change, choice=CHOICE
    )
