"""Samples enough and sound: more of them, blank ones and spoilt labels left out."""

import ast
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.data_lines import draws
from osler.doctor.mending.input_edit import holder_names, shared_assignment
from osler.doctor.mending.mode_edit import loops_at, training_site
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.value_edit import put
from osler.doctor.remedies.target_scaling import OF_TRAINING, target_assignment
from osler.doctor.settings import call_at
from osler.structures.finding import Finding
from osler.vitals.evidence import ModelSeen

CHOICE = "samples"
MORE = (50, 10)


@prescribes("too-few-samples")
def more(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The number of samples raised where it is written, by 50 and by 10; the programs' time bounds it."""
    line = finding.where.line
    first = finding.evidence.split(" ", 1)[0].replace(",", "")
    if line is None or not first.isdigit():
        return
    count = int(first)
    for factor in MORE:

        def change(edit: ScriptEdit, factor: int = factor) -> None:
            _raise(edit, case, line, count, count * factor)

        yield Prescription(
            "use more data",
            f"Train on {count * factor:,} samples in place of {count:,} at line {line}.",
            change,
            choice=CHOICE,
        )


def _raise(edit: ScriptEdit, case: Case, line: int, now: int, new: int) -> None:
    found = [
        n for n in ast.walk(case.script.tree)
        if isinstance(n, ast.Constant) and type(n.value) is int and n.value == now and n.lineno == line
    ]  # fmt: skip
    if not found:
        raise CannotEditError("The number of samples is not written there.")
    for node in found:
        edit.replace(edit.at(node), str(new))


# ---- blank ones


@prescribes("corrupt-sample")
def sound(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Blank samples left out of what is trained on: of the arrays, else of each batch."""
    model = case.models[0]

    def of_arrays(edit: ScriptEdit) -> None:
        pair = holder_names(case, model)
        shared = shared_assignment(case, model) if pair is None else None
        if pair is None and shared is None:
            raise CannotEditError("The inputs have no name.")
        step, name = pair[0] if pair is not None else shared  # type: ignore[misc]
        target, label = target_assignment(case, case.losses()[0], None)
        if target.scope != step.scope or (pair is not None) != bool(OF_TRAINING.search(label)):
            raise CannotEditError("Inputs and labels have no names in one place.")
        last = max(step.line, target.line)
        rows = f"{name}.reshape(len({name}), -1)"
        edit.insert_after(
            last, f"sound = {rows}.max(1) != {rows}.min(1)\n{name}, {label} = {name}[sound], {label}[sound]"
        )

    def of_batches(edit: ScriptEdit) -> None:
        _of_batches(edit, case, model)

    yield Prescription(
        "leave them out",
        "Leave the samples that hold one value everywhere out of each training batch.",
        of_batches,
        choice=CHOICE,
    )
    yield Prescription(
        "leave them out",
        "Leave the samples that hold one value everywhere out before training.",
        of_arrays,
        choice=CHOICE,
    )


def _of_batches(edit: ScriptEdit, case: Case, model: ModelSeen) -> None:
    """At the top of the loop over batches: of `x, y` both, of `x[idx]` the indices."""
    site = training_site(model)
    loop = next((x for x in reversed(loops_at(case, site.line)) if isinstance(x, ast.For)), None)
    if loop is None:
        raise CannotEditError("There is no loop over batches.")
    if isinstance(loop.target, ast.Tuple) and len(loop.target.elts) == 2:
        x, y = (ast.unparse(e) for e in loop.target.elts)
        code = f"sound = {x}.flatten(1).amax(1) != {x}.flatten(1).amin(1)\n{x}, {y} = {x}[sound], {y}[sound]"
        edit.insert_before(loop.body[0].lineno, code)
        return
    for call, _ in case.lines.network_calls(model, "train"):
        given = call.args[0]
        if isinstance(given, ast.Subscript) and isinstance(loop.target, ast.Name):
            index = loop.target.id
            if ast.unparse(given.slice) == index:
                rows = f"{ast.unparse(given)}.flatten(1)"
                edit.insert_before(loop.body[0].lineno, f"{index} = {index}[{rows}.amax(1) != {rows}.amin(1)]")
                return
    raise CannotEditError("Batches have no names.")


# ---- spoilt labels


@prescribes("label-noise")
def clean(finding: Finding, case: Case) -> Iterator[Prescription]:
    """What writes other labels at random left out; else a loss that trusts labels less."""
    line = finding.where.line
    losses = [x for x in case.losses("cross_entropy") if x.site is not None]
    offers: list[tuple[str, str, Edit]] = []
    if line is not None:
        offers.append(
            (
                "clean the labels",
                f"Leave out what line {line} writes over the labels.",
                lambda e: _unspoilt(e, case, line),
            )
        )
    if losses and not losses[0].options.get("label_smoothing"):
        offers.append(("smooth the labels", "Give the loss label_smoothing=0.2.", lambda e: _smooth(e, case)))
    for remedy, text, edit in offers:
        yield Prescription(remedy, text, edit, choice=CHOICE, changes_loss=True)


def _unspoilt(edit: ScriptEdit, case: Case, line: int) -> None:
    """`y[flip] = torch.randint(...)` is taken out, and `np.where(flip, other, y)` gives way to `y`."""
    losses = case.losses()
    steps = (case.lines.targets(losses[0]) if losses else []) or case.lines.companions(case.models[0])
    for step in (s for s in steps if s.line == line):
        node = step.node
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            statement = edit.statement(line)
            if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
                edit.remove_node(statement)
                return
        for call in step.calls:
            if ast.unparse(call.func).endswith("where") and len(call.args) == 3 and draws(step):
                put(edit, call, edit.code(edit.at(call.args[2])))
                return
    raise CannotEditError("No labels are written over there.")


def _smooth(edit: ScriptEdit, case: Case) -> None:
    loss = next(x for x in case.losses("cross_entropy") if x.site is not None)
    call = call_at(case.script, loss.site, "cross_entropy")
    line, name = (
        (call.line, call.last) if call is not None else (case.script.first_line("CrossEntropyLoss"), "CrossEntropyLoss")
    )
    if line is None:
        raise CannotEditError("The loss is not named.")
    edit.set_argument(line, name, "label_smoothing", "0.2")
