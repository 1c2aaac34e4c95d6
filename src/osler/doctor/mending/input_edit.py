"""A network's inputs changed on their way: where they become fractions, in `forward`, or where the network is called."""

import ast

from osler.doctor.case import Case
from osler.doctor.data_lines import CONVERTING
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.value_edit import carried, change_after, part_of, put, targets_of
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted
from osler.vitals.evidence import ModelSeen

WHOLE = ("long", "int64", "int32", "uint8", "bool")
BYTES = ("frombuffer", "asarray", "imread", "load", "array")


def ways_in(case: Case, model: ModelSeen) -> tuple[list[Step], list[Step]]:
    """The ways of the inputs that the network learns from, and of those that it is evaluated on."""
    inputs = case.lines.inputs(model)
    return inputs, (case.lines.held_out_inputs(model) if model.call_counts["evaluate"] else inputs)


def change_conversions(edit: ScriptEdit, case: Case, model: ModelSeen, form: str) -> None:
    """Changes inputs where they become fractions (`torch.tensor(x)`, `.float()`): once where both ways share it, else on each.

    Raises:
        CannotEditError: there is no such place.
    """
    places = [_conversion(steps) for steps in ways_in(case, model)]
    if any(place is None for place in places):
        raise CannotEditError("It is not known where inputs become numbers.")
    for node in {id(p): p for p in places}.values():
        if node is not None:
            put(edit, node, form)


def _conversion(steps: list[Step]) -> ast.expr | None:
    """The conversion to fractions that is nearest to the network, the outermost call of a chain of them."""
    for step in steps:
        part = part_of(steps, step, 0)
        for node in ast.walk(part):
            if not isinstance(node, ast.Call) or dotted(node.func).rpartition(".")[2] not in CONVERTING:
                continue
            text = ast.unparse(node)
            kinds = [
                ast.unparse(a).rpartition(".")[2].strip("'\"")
                for a in (*node.args[-1:], *(k.value for k in node.keywords))
            ]
            if any(k in WHOLE for k in kinds) or dotted(node.func).rpartition(".")[2] in BYTES:
                continue
            if not any(word in text for word in ("float", "Float", "from_numpy", "Tensor", "tensor")):
                continue
            return node
    return None


def change_in_forward(edit: ScriptEdit, case: Case, model: ModelSeen, form: str) -> None:
    """Changes the first argument of the network's `forward`, at its top.

    Raises:
        CannotEditError: the network is no class of the script.
    """
    node = case.script.classes().get(model.kind)
    forward = (
        next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "forward"), None) if node else None
    )
    if forward is None or len(forward.args.args) < 2:
        raise CannotEditError("The network has no forward in this script.")
    name = forward.args.args[1].arg
    begin = next(
        (s for s in forward.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))),
        forward.body[0],
    )
    edit.insert_before(begin.lineno, f"{name} = {form.replace('{}', name, 1)}")


def change_at_calls(edit: ScriptEdit, case: Case, model: ModelSeen, form: str) -> None:
    """Changes what the network is given, wherever the script calls it by that name.

    Raises:
        CannotEditError: it is called in no way that is understood.
    """
    seen = [c for moment in ("train", "evaluate") for c, _ in case.lines.network_calls(model, moment)]
    names = {dotted(c.func) for c in seen}
    calls = [
        c.node
        for c in case.script.calls
        if c.name in names and c.node.args and not isinstance(c.node.args[0], ast.Starred)
    ]
    if not calls or not names or any("()" in n for n in names):
        raise CannotEditError("The calls of the network are not found.")
    for call in calls:
        put(edit, call.args[0], form)


# ---- changed behind their assignment


def shared_assignment(case: Case, model: ModelSeen) -> tuple[Step, str] | None:
    """The nearest assignment on the ways of both training and evaluation inputs, and the name that it gives them."""
    inputs, others = ways_in(case, model)
    theirs = {id(s.node) for s in others}
    for step in inputs:
        if id(step.node) in theirs and targets_of(step.node) and step.line and _is_array(step):
            name = carried(inputs, step, 0)
            if name is not None:
                return step, name
    return None


def _is_array(step: Step) -> bool:
    """Whether an assignment gives an array of samples rather than a data set, a loader, an order or a count."""
    text = step.text
    unlike = (
        "DataLoader(",
        "TensorDataset(",
        "Dataset(",
        "Subset(",
        "permutation(",
        "randperm(",
        "parse_args(",
        "argmax",
        "arange(",
    )
    return not any(word in text for word in unlike) and not isinstance(
        getattr(step.node, "value", None), (ast.Constant, ast.List)
    )


def holder_names(case: Case, model: ModelSeen) -> tuple[tuple[Step, str], tuple[Step, str]] | None:
    """The last assignments of arrays to names on each way, where the two differ."""
    found = []
    for steps in ways_in(case, model):
        step = next((s for s in steps if targets_of(s.node) and s.line and _is_array(s) and s.depth <= 4), None)
        name = carried(steps, step, 0) if step is not None else None
        if step is None or name is None:
            return None
        found.append((step, name))
    return (found[0], found[1]) if found[0][1] != found[1][1] and found[0][0].scope == found[1][0].scope else None


def standardise(edit: ScriptEdit, case: Case, model: ModelSeen) -> None:
    """Subtracts the training inputs' mean and divides by their spread, column by column, on both ways.

    Raises:
        CannotEditError: the arrays have no names.
    """
    pair = holder_names(case, model)
    if pair is not None:
        (one, train), (other, held) = pair
        last = one if one.line >= other.line else other
        change_after(
            edit,
            last,
            f"mean, std = {train}.mean(0), {train}.std(0) + 1e-8\n"
            f"{train}, {held} = ({train} - mean) / std, ({held} - mean) / std",
        )
        return
    shared = shared_assignment(case, model)
    if shared is None:
        raise CannotEditError("The inputs have no name.")
    step, name = shared
    change_after(edit, step, f"{name} = ({name} - {name}.mean(0)) / ({name}.std(0) + 1e-8)")
