"""Samples in a random order, their labels with them."""

import ast
import re
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.mending.order_edit import ORDER, shuffle_loader, shuffle_slices
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.value_edit import names_in
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted
from osler.doctor.shuffling_lines import PERMUTING, one_sided
from osler.structures.finding import Finding


@prescribes("not-shuffled")
def shuffle(finding: Finding, case: Case) -> Iterator[Prescription]:
    """`shuffle=True` for the training's loader; a permutation where batches are cut by hand."""
    loaders = [x for x in case.evidence.loaders if x.used_for["train"] and x.site is not None]

    def by_loader(edit: ScriptEdit) -> None:
        shuffle_loader(edit, case, max(loaders, key=lambda x: x.used_for["train"]))

    def by_hand(edit: ScriptEdit) -> None:
        shuffle_slices(edit, case, case.models[0])

    if loaders:
        yield Prescription("shuffle", "Give the training's DataLoader shuffle=True.", by_loader, choice="order")
    else:
        yield Prescription(
            "shuffle", "Draw a new permutation of the samples before each epoch's batches.", by_hand, choice="order"
        )


@prescribes("labels-shuffled")
def keep_pairs(finding: Finding, case: Case) -> Iterator[Prescription]:
    """One permutation for both in the place of one that only one side has; else none."""
    model = case.models[0]
    losses = case.losses()
    inputs = case.lines.inputs(model)
    targets = (case.lines.targets(losses[0]) if losses else []) or case.lines.companions(model)
    step = one_sided(inputs, targets)
    if step is None:
        return
    of_inputs = any(s is step for s in inputs)
    other = targets if of_inputs else inputs

    def same(edit: ScriptEdit) -> None:
        _same_order(edit, step, other)

    def together(edit: ScriptEdit) -> None:
        _together(edit, case, step, other, of_inputs)

    def without(edit: ScriptEdit) -> None:
        _without(edit, step)

    told = f"Line {step.line} reorders one side alone: draw one permutation, and index inputs and labels with it."
    yield Prescription("keep the pairs", told, same, choice="order")
    yield Prescription("keep the pairs", told, together, choice="order")
    yield Prescription("keep the pairs", f"Leave the reordering at line {step.line} out.", without, choice="order")


def _same_order(edit: ScriptEdit, step: Step, other: list[Step]) -> None:
    """`x = x[order]` and `y = y[other]`: both by the order that is drawn first."""
    mine, index = _reordered(step)
    for each in other:
        node = each.node
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Subscript) or each.scope != step.scope:
            continue
        theirs = node.value
        if not isinstance(theirs.slice, ast.Name) or ast.unparse(node.targets[0]) != ast.unparse(theirs.value):
            continue
        if re.fullmatch(r"\w+", index) and theirs.slice.id != index and ast.unparse(theirs.value) != mine:
            if each.line > step.line:
                edit.replace(edit.at(theirs.slice), index)
            else:
                assert isinstance(step.node, ast.Assign)
                assert isinstance(step.node.value, ast.Subscript)
                edit.replace(edit.at(step.node.value.slice), theirs.slice.id)
            return
    raise CannotEditError("The other side keeps its order.")


def _together(edit: ScriptEdit, case: Case, step: Step, other: list[Step], of_inputs: bool) -> None:
    """`np.random.shuffle(X)` becomes `order = np.random.permutation(len(X))` and `X, y = X[order], y[order]`."""
    mine, drawn = _reordered(step)
    partner = _partner(case, step, mine, other, of_inputs)
    name = ORDER if not re.search(rf"\b{ORDER}\b", edit.original) else "together"
    first, second = (mine, partner) if of_inputs else (partner, mine)
    edit.replace_statement(step.line, f"{name} = {drawn}\n{first}, {second} = {first}[{name}], {second}[{name}]")


def _reordered(step: Step) -> tuple[str, str]:
    """Which name a step puts into another order, and what draws that order.

    Raises:
        CannotEditError: it has another form.
    """
    node = step.node
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and len(node.value.args) == 1:
        name, source = ast.unparse(node.value.args[0]), dotted(node.value.func).rpartition(".")[0]
        if re.fullmatch(r"[\w.]+", name):
            if source in ("random", "") or source.endswith("Random()"):
                return name, f"random.sample(range(len({name})), len({name}))"
            return name, f"{source}.permutation(len({name}))"
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.Subscript):
        mine, index = ast.unparse(node.targets[0]), node.value.slice
        if ast.unparse(node.value.value) == mine:
            return mine, ast.unparse(index)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.Call) and node.value.args:
        mine, last = ast.unparse(node.targets[0]), dotted(node.value.func).rpartition(".")[2]
        if last in PERMUTING and ast.unparse(node.value.args[0]) == mine:
            return mine, f"{dotted(node.value.func)}(len({mine}))"
    raise CannotEditError("It is reordered in another way.")


def _partner(case: Case, step: Step, mine: str, other: list[Step], of_inputs: bool) -> str:
    """The name that the other side has at that line: one that later steps of it read, and that is assigned before.

    Raises:
        CannotEditError: there is none.
    """
    known = {n for a in case.script.assignments if a.line < step.line and a.function == step.scope for n in a.names}
    read: list[str] = []
    for each in other:
        if each.line > step.line and each.scope == step.scope:
            read += names_in(each.node)
    mates = [a.names for a in case.script.assignments if mine in a.names and a.line < step.line and len(a.names) > 1]
    paired = [n for names in mates for n in names if n != mine]
    for name in [*(n for n in read if n in paired), *(n for n in read if n in known), *paired]:
        if name != mine and (name in known):
            return name
    raise CannotEditError("The other side has no name there.")


def _without(edit: ScriptEdit, step: Step) -> None:
    """Takes the reordering out: the statement, or the index by which it is done."""
    node = step.node
    if isinstance(node, ast.Expr):
        edit.remove_statement(step.line)
        return
    if isinstance(node, ast.Assign):
        value = node.value
        if isinstance(value, ast.Subscript) and ast.unparse(value.value) == ast.unparse(node.targets[0]):
            edit.remove_statement(step.line)
            return
        for part in ast.walk(value):
            if (
                isinstance(part, ast.Call)
                and dotted(part.func).rpartition(".")[2] in ("sort", "sorted", "roll", "flipud", "flip")
                and part.args
            ):
                edit.replace(edit.at(part), edit.code(edit.at(part.args[0])))
                return
            if isinstance(part, ast.Subscript) and any(
                isinstance(c, ast.Call) and dotted(c.func).rpartition(".")[2] in PERMUTING for c in ast.walk(part.slice)
            ):
                edit.replace(edit.at(part), edit.code(edit.at(part.value)))
                return
    raise CannotEditError("It is reordered in another way.")
