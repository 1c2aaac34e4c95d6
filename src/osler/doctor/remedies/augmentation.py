"""Random changes where they belong: in training alone, with fresh numbers each time, and on the target as on the picture."""

import ast
import re
from collections.abc import Iterator

import libcst as cst

from osler.doctor.augmentation_lines import drawing_functions
from osler.doctor.case import Case
from osler.doctor.geometry_lines import moves
from osler.doctor.mending.mode_edit import network_name, training_site
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.statement_edit import outermost_alone
from osler.doctor.mending.value_edit import put
from osler.doctor.script_reading import dotted
from osler.doctor.seeding_lines import all_seedings
from osler.doctor.training_loop import enclosing_function
from osler.structures.finding import Finding

CHOICE = "augmentation"
PHASES = ("train", "training", "is_train", "is_training", "augment", "aug")
TRANSFORMS = ("transform", "transforms", "tf", "tfm", "augment", "aug", "augmentation", "train", "training", "is_train")


# ---- in training alone


@prescribes("validation-augmented")
def in_training(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Under the loop's phase, or in training mode; of a data set its argument."""
    line = finding.where.line
    if line is None:
        return
    for told, edit in (
        (f"Evaluate at line {line} on samples as they are.", lambda e: _unchanged(e, case, line)),
        (f"Apply the random change at line {line} in training alone.", lambda e: _under_phase(e, case, line)),
        (f"Give the evaluation data at line {line} no random transform.", lambda e: _plain_data(e, case, line)),
    ):
        yield Prescription("augment in training alone", told, edit, choice=CHOICE)


def _random_calls(case: Case, line: int) -> list[ast.Call]:
    """The calls at a line of functions that draw, given samples as their first argument."""
    drawing = drawing_functions(case.lines.flow) - set(case.script.classes())
    there = [c for c in case.script.calls if c.line <= line <= (c.node.end_lineno or c.line)]
    return [c.node for c in there if c.last in drawing and c.node.args]


def _under_phase(edit: ScriptEdit, case: Case, line: int) -> None:
    """`jitter(x)` becomes `(jitter(x) if phase == 'train' else x)`."""
    for call in _random_calls(case, line):
        condition = _phase(case, line)
        if condition is None:
            raise CannotEditError("The script does not say there whether it trains.")
        there = edit.at(call)
        whole = f"{edit.code(there)} if {condition} else {edit.code(edit.at(call.args[0]))}"
        parent = edit.parent(there)
        edit.replace(there, whole if isinstance(parent, (cst.Assign, cst.Return, cst.Arg)) else f"({whole})")
        return
    raise CannotEditError("No function that draws is called there.")


def _phase(case: Case, line: int) -> str | None:
    """What is true in training alone: a comparison of the phase, a parameter of the function, the network's mode."""
    function = enclosing_function(case.script, line)
    within: ast.AST = function or case.script.tree
    for node in ast.walk(within):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            value = node.comparators[0]
            if (
                isinstance(value, ast.Constant)
                and isinstance(value.value, str)
                and value.value.lower().startswith("train")
            ):
                return ast.unparse(node)
    if function is not None:
        names = [a.arg for a in (*function.args.args, *function.args.kwonlyargs)]
        for name in names:
            if name.lower() in PHASES:
                return name
            if name in ("optimizer", "opt", "optim", "optimiser"):
                return f"{name} is not None"
    text = ast.unparse(within)
    found = re.search(r"self\.(train|training|is_train|augment)\b(?!\()", text)
    if found:
        return found[0]
    if ".eval()" in text or ".train(" in text:
        try:
            return f"{network_name(case, case.models[0], training_site(case.models[0]))}.training"
        except CannotEditError:
            return None
    return None


def _unchanged(edit: ScriptEdit, case: Case, line: int) -> None:
    """`jitter(x_val)` gives way to `x_val`, where only evaluation passes the line."""
    mine = {s.line for s in case.lines.inputs(case.models[0])}
    if line in mine:
        raise CannotEditError("Training passes the line too.")
    for call in _random_calls(case, line):
        edit.replace(edit.at(call), edit.code(edit.at(call.args[0])))
        return
    raise CannotEditError("No function that draws is called there.")


def _plain_data(edit: ScriptEdit, case: Case, line: int) -> None:
    """The transform of a data set made at a line: that of the script for evaluation, else none."""
    others = [
        n
        for a in case.script.assignments
        for n in a.names
        if re.search(r"(test|val|eval|plain|base).*(tf|trans|aug)", n, re.I)
    ]
    classes = set(case.script.classes())
    for call in (c for c in case.script.calls if c.line <= line <= (c.node.end_lineno or c.line) and c.last in classes):
        for keyword in call.node.keywords:
            if keyword.arg in TRANSFORMS and ast.unparse(keyword.value) not in ("None", "False"):
                off = "False" if isinstance(keyword.value, ast.Constant) else (others[0] if others else "None")
                edit.replace(edit.at(keyword.value), off)
                return
        made = next((f for n, f in case.script.functions().items() if n.endswith(f"{call.last}.__init__")), None)
        names = [a.arg for a in made.args.args][1:] if made is not None else []
        for name, given in zip(names, call.node.args, strict=False):
            if name in TRANSFORMS and ast.unparse(given) not in ("None", "False"):
                off = "False" if isinstance(given, ast.Constant) else (others[0] if others else "None")
                edit.replace(edit.at(given), off)
                return
    raise CannotEditError("No data set with a transform is made there.")


# ---- fresh numbers


@prescribes("repeated-augmentation")
def fresh(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The generator made once in the constructor; a seed that is set again and again taken out."""
    line = finding.where.line
    if line is None:
        return
    for told, edit in (
        (f"Make the generator of line {line} once, in __init__.", lambda e: _once(e, case, line)),
        (f"Leave the seed at line {line} out.", lambda e: _unseeded(e, case, line)),
    ):
        yield Prescription("seed once", told, edit, choice=CHOICE)
    loaders = [x for x in case.evidence.loaders if x.used_for["train"] and x.workers and x.site is not None]
    if loaders:

        def in_process(edit: ScriptEdit) -> None:
            call = next(
                c for c in case.script.calls_of("DataLoader") if loaders[0].site and c.line == loaders[0].site.line
            )
            if call.keyword("worker_init_fn") is not None:
                raise CannotEditError("The workers are seeded already.")
            edit.set_argument(call.line, "DataLoader", "num_workers", "0", 5)

        yield Prescription(
            "seed the workers", "Load samples in the program itself, num_workers=0.", in_process, choice=CHOICE
        )


def _once(edit: ScriptEdit, case: Case, line: int) -> None:
    """`rng = RandomState(self.seed)` becomes `rng = self.rng`, with that made at the end of the constructor."""
    call = next((c for c, _ in all_seedings(case.lines.flow) if c.lineno == line), None)
    function = enclosing_function(case.script, line)
    owner = next((n for n in case.script.classes().values() if function is not None and function in n.body), None)
    made = (
        next((f for f in owner.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
        if owner
        else None
    )
    if (
        call is None
        or made is None
        or function is None
        or (dotted(call.func).rpartition(".")[2] in ("seed", "manual_seed") and not _held(call, case))
    ):
        raise CannotEditError("No generator is made there.")
    read = {n.id for n in ast.walk(call) if isinstance(n, ast.Name)}
    if read & {a.arg for a in function.args.args if a.arg != "self"}:
        raise CannotEditError("The generator depends on the sample.")
    name = "self.rng" if "self.rng" not in edit.original else "self.generator"
    edit.insert_after(made.body[-1].lineno, f"{name} = {ast.unparse(call)}")
    edit.replace(edit.at(call), name)


def _held(call: ast.Call, case: Case) -> bool:
    """Whether a seeding gives a generator that is kept, as `torch.Generator().manual_seed(0)`."""
    return any(isinstance(n, (ast.Assign, ast.Return)) and n.value is call for n in ast.walk(case.script.tree))


def _unseeded(edit: ScriptEdit, case: Case, line: int) -> None:
    """`torch.manual_seed(0)` that stands alone is taken out; `default_rng(0)` gets no seed; in a call of several its own."""
    statement = edit.statement(line)
    call = next((c for c, _ in all_seedings(case.lines.flow) if c.lineno == line), None)
    if call is None:
        raise CannotEditError("No seed is set there.")
    if (
        isinstance(edit.parent(edit.at(call)), cst.Expr)
        and isinstance(statement, cst.SimpleStatementLine)
        and len(statement.body) == 1
    ):
        edit.remove_node(statement)
    elif dotted(call.func).rpartition(".")[2] in ("RandomState", "default_rng", "Random") and len(call.args) == 1:
        edit.replace(edit.at(call), f"{edit.code(edit.at(call.func))}()")
    else:
        raise CannotEditError("The seed stands in a larger statement.")


# ---- targets as pictures


@prescribes("targets-not-transformed-with-image")
def both(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The same done to a target that is a picture; else the change left out."""
    line = finding.where.line
    if line is None:
        return
    offers: list[tuple[str, str, Edit]] = []
    if "each pixel" in finding.evidence:
        told = f"Do to the target what line {line} does to the picture, under the same condition."
        offers.append(("transform both", told, lambda e: _same(e, case, line)))
    offers.append(
        (
            "transform both",
            f"Leave the change at line {line} out, which the target does not follow.",
            lambda e: _left_out(e, case, line),
        )
    )
    for remedy, text, edit in offers:
        yield Prescription(remedy, text, edit, choice=CHOICE)


def _same(edit: ScriptEdit, case: Case, line: int) -> None:
    """`img = torch.flip(img, [2])` is followed by the same of the target, by the last axes."""
    statement = next((n for n in ast.walk(case.script.tree) if isinstance(n, ast.Assign) and n.lineno == line), None)
    if statement is None or len(statement.targets) != 1:
        raise CannotEditError("It is no assignment.")
    mine = ast.unparse(statement.targets[0])
    function = enclosing_function(case.script, line)
    returned = [
        n.value
        for n in ast.walk(function or case.script.tree)
        if isinstance(n, ast.Return) and isinstance(n.value, ast.Tuple)
    ]
    names = [ast.unparse(e) for value in returned for e in value.elts if isinstance(value, ast.Tuple)]
    begins = [found[0] for n in names if not n.startswith(mine) and (found := re.match(r"[\w.]+", n))]
    partner = begins[0] if begins else None
    if partner is None:
        raise CannotEditError("The target has no name there.")
    text = re.sub(rf"\b{re.escape(mine)}\b", partner, ast.unparse(statement))
    edit.insert_after(line, text)


def _left_out(edit: ScriptEdit, case: Case, line: int) -> None:
    """The statement, with the condition that holds nothing else; of a list of transforms those that move things."""
    statement = edit.statement(line)
    node = next((n for n in ast.walk(case.script.tree) if isinstance(n, ast.Assign) and n.lineno == line), None)
    if node is not None and isinstance(statement, cst.SimpleStatementLine):
        value, target = node.value, ast.unparse(node.targets[0])
        if isinstance(value, ast.IfExp):
            kept = value.orelse if _is_moving(value.body) else value.body
            edit.replace(edit.at(value), edit.code(edit.at(kept)))
            return
        read = {ast.unparse(n) for n in ast.walk(value) if isinstance(n, (ast.Name, ast.Attribute))}
        if target in read:
            edit.remove_node(outermost_alone(edit, statement))
            return
    for call in (c for c in case.script.calls if c.line == line and _is_moving(c.node) and c.node.args):
        there = edit.at(call.node)
        if isinstance(call.node.func, ast.Attribute) and dotted(call.node.func.value) not in (
            "torch",
            "np",
            "numpy",
            "cv2",
            "F",
            "TF",
        ):
            edit.replace(there, edit.code(edit.at(call.node.func.value)))
        else:
            put(edit, call.node, edit.code(edit.at(call.node.args[0])))
        return
    raise CannotEditError("The change stands in a form that is not known.")


def _is_moving(node: ast.AST) -> bool:
    from osler.doctor.provenance import Step

    return moves(Step(node, "", 0))
