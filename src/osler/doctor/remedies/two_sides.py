"""Training and held-out samples apart from each other, and prepared alike."""

import ast
import re
from collections.abc import Iterator

from osler.doctor.case import Case
from osler.doctor.data_lines import CONVERTING
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.doctor.mending.value_edit import first_of, put, targets_of
from osler.doctor.provenance import Step
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding

CHOICE = "two sides"
TO_RGB = "cv2.cvtColor({}, cv2.COLOR_BGR2RGB)"
TRAINING = re.compile(r"(^|_)(tr|trn|train|training)(_|$|\d)|train", re.IGNORECASE)


# ---- apart


@prescribes("train-test-leak")
def apart(finding: Finding, case: Case) -> Iterator[Prescription]:
    """What makes copies put behind the split, for the training part alone; overlapping slices made to meet."""
    line = finding.where.line

    def behind(edit: ScriptEdit) -> None:
        _behind_split(edit, case, line)

    def meeting(edit: ScriptEdit) -> None:
        _meeting_slices(edit, case)

    yield Prescription(
        "split first", f"Split first, and do what line {line} does to the training part alone.", behind, choice=CHOICE
    )
    yield Prescription(
        "split first", "Let the held-out samples begin where the training samples end.", meeting, choice=CHOICE
    )


def _behind_split(edit: ScriptEdit, case: Case, line: int | None) -> None:
    """`X, y = enlarge(X, y)` before `train_test_split` becomes `X_tr, y_tr = enlarge(X_tr, y_tr)` behind it."""
    copying = next((n for n in ast.walk(case.script.tree) if isinstance(n, ast.Assign) and n.lineno == line), None)
    split = next((a for a in ast.walk(case.script.tree) if _splits_after(a, line or 0)), None)
    if copying is None or not isinstance(split, ast.Assign) or not isinstance(split.value, ast.Call):
        raise CannotEditError("There is no split behind the copies.")
    given, parts = [ast.unparse(a) for a in split.value.args], targets_of(split)
    if len(parts) != 2 * len(given):
        raise CannotEditError("The parts of the split have no names.")
    training = dict(zip(given, parts[::2], strict=True))
    names = targets_of(copying)
    if not names or not set(names) <= set(training):
        raise CannotEditError("What is split is not what is copied.")
    text = edit.code(edit.statement(copying.lineno))
    for old, new in training.items():
        text = re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", new, text)
    edit.remove_statement(copying.lineno)
    edit.insert_after(split.lineno, text)


def _splits_after(node: ast.AST, line: int) -> bool:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or node.lineno <= line:
        return False
    return dotted(node.value.func).rpartition(".")[2] == "train_test_split"


def _meeting_slices(edit: ScriptEdit, case: Case) -> None:
    """`x[:1200]` and `x[1000:]` become `x[:1200]` and `x[1200:]`."""
    cuts = [n for n in ast.walk(case.script.tree) if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Slice)]
    changed = False
    for first in cuts:
        for second in cuts:
            if ast.unparse(first.value) == ast.unparse(second.value) and _overlap(first.slice, second.slice):
                assert isinstance(first.slice, ast.Slice)
                assert isinstance(second.slice, ast.Slice)
                assert first.slice.upper is not None
                assert second.slice.lower is not None
                edit.replace(edit.at(second.slice.lower), ast.unparse(first.slice.upper))
                changed = True
    if not changed:
        raise CannotEditError("No slices overlap.")


def _overlap(first: ast.expr, second: ast.expr) -> bool:
    """Whether `:a` and `b:` have samples in common, by numbers that are written there."""
    if not isinstance(first, ast.Slice) or not isinstance(second, ast.Slice) or first.lower or second.upper:
        return False
    end, begin = first.upper, second.lower
    if not isinstance(end, ast.Constant) or not isinstance(begin, ast.Constant):
        return False
    return isinstance(end.value, int) and isinstance(begin.value, int) and 0 < begin.value < end.value


# ---- alike


@prescribes("preprocessing-mismatch")
def alike(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The colours' order turned on one side; a scaler used as it was fitted; the division that one side lacks."""
    model = case.models[0]
    inputs, others = case.lines.inputs(model), case.lines.held_out_inputs(model)
    mine, theirs = {id(s.node) for s in inputs}, {id(s.node) for s in others}
    held = [s for s in others if id(s.node) not in mine]
    trained = [s for s in inputs if id(s.node) not in theirs]
    offers: list[tuple[str, Edit]] = []
    if "BGR" in finding.evidence:
        offers.append(
            ("Read the held-out pictures as RGB, as the training pictures are.", lambda e: _to_rgb(e, case, held))
        )
        offers.append(
            ("Read the training pictures as RGB, as the held-out pictures are.", lambda e: _to_rgb(e, case, trained))
        )
        offers.append(("Turn the channels of the held-out pictures.", lambda e: _turned_back(e, held)))
        offers.append(("Turn the channels of the training pictures.", lambda e: _turned_back(e, trained)))
    offers.append(
        ("Use the scaler on held-out samples as it was fitted on the training samples.", lambda e: _as_fitted(e, held))
    )
    offers.append(
        (
            "Use the training samples' mean and spread for held-out samples too.",
            lambda e: _own_statistics(e, trained, held),
        )
    )
    offers.append(
        (
            "Divide held-out samples by the number by which training samples are divided.",
            lambda e: _same_division(e, trained, held),
        )
    )
    offers.append(
        (
            "Divide training samples by the number by which held-out samples are divided.",
            lambda e: _same_division(e, held, trained),
        )
    )
    for text, edit in offers:
        yield Prescription("share the preprocessing", text, edit, choice=CHOICE)


def _calls_in(steps: list[Step], *names: str) -> list[ast.Call]:
    found: dict[int, ast.Call] = {}
    for step in steps:
        for call in step.calls:
            if dotted(call.func).rpartition(".")[2] in names:
                found.setdefault(id(call), call)
    return list(found.values())


def _to_rgb(edit: ScriptEdit, case: Case, steps: list[Step]) -> None:
    """What OpenCV reads, in the order red, green, blue."""
    calls = [c for c in _calls_in(steps, "imread", "imdecode") if dotted(c.func).startswith("cv2")]
    if not calls:
        raise CannotEditError("OpenCV reads nothing there.")
    for call in calls:
        put(edit, call, TO_RGB)


def _turned_back(edit: ScriptEdit, steps: list[Step]) -> None:
    """`x[..., ::-1]` and a change of colours are taken away."""
    for call in _calls_in(steps, "cvtColor"):
        edit.replace(edit.at(call), edit.code(edit.at(call.args[0])))
        return
    for step in steps:
        for node in ast.walk(step.node):
            if isinstance(node, ast.Subscript) and "::-1" in ast.unparse(node.slice):
                edit.replace(edit.at(node), edit.code(edit.at(node.value)))
                return
            if isinstance(node, ast.Subscript) and ast.unparse(node.slice).replace(" ", "").endswith("[2,1,0]"):
                edit.replace(edit.at(node), edit.code(edit.at(node.value)))
                return
    raise CannotEditError("No channels are turned there.")


def _as_fitted(edit: ScriptEdit, steps: list[Step]) -> None:
    """`scaler.fit_transform(X_test)` becomes `scaler.transform(X_test)`."""
    calls = [
        c
        for c in _calls_in(steps, "fit_transform")
        if isinstance(c.func, ast.Attribute) and isinstance(c.func.value, (ast.Name, ast.Attribute))
    ]
    if not calls:
        raise CannotEditError("No scaler is fitted there.")
    for call in calls:
        function = edit.code(edit.at(call.func))
        edit.replace(edit.at(call.func), function.removesuffix("fit_transform") + "transform")


def _own_statistics(edit: ScriptEdit, trained: list[Step], held: list[Step]) -> None:
    """`(X_test - X_test.mean(0)) / X_test.std(0)` takes the training samples' in their place; these must not be changed before."""
    for step in held:
        for call in step.calls:
            if (
                not isinstance(call.func, ast.Attribute)
                or call.func.attr not in ("mean", "std")
                or not isinstance(call.func.value, ast.Name)
            ):
                continue
            name = call.func.value.id
            other = next((t for s in trained for t in targets_of(s.node) if TRAINING.search(t)), None)
            if other is None or name == other or TRAINING.search(name):
                continue
            before = [s for s in trained if other in targets_of(s.node) and f"{other}.mean(" in s.text]
            values = [
                c
                for c in step.calls
                if isinstance(c.func, ast.Attribute) and c.func.attr in ("mean", "std") and dotted(c.func.value) == name
            ]
            if before and before[0].line < step.line:
                kept = {"mean": "mean", "std": "std"}
                rest = edit.code(edit.at(call)).partition("(")[2][:-1]
                edit.insert_before(before[0].line, f"mean, std = {other}.mean({rest}), {other}.std({rest})")
                for each in values:
                    assert isinstance(each.func, ast.Attribute)
                    edit.replace(edit.at(each), kept[each.func.attr])
            else:
                for each in values:
                    assert isinstance(each.func, ast.Attribute)
                    edit.replace(edit.at(each.func.value), other)
            return
    raise CannotEditError("Held-out samples are not scaled by numbers of their own.")


def _same_division(edit: ScriptEdit, having: list[Step], lacking: list[Step]) -> None:
    """The side that lacks a division by a number, or `(x - m) / s`, gets the other's where it becomes a tensor."""
    if any(_division(s) is not None for s in lacking):
        raise CannotEditError("Both sides are scaled.")
    node = next((d for s in having if (d := _division(s)) is not None), None)
    place = next(
        (
            c
            for s in lacking
            for c in ast.walk(first_of(s.node))
            if isinstance(c, ast.Call) and dotted(c.func).rpartition(".")[2] in CONVERTING
        ),
        None,
    )
    if node is None or place is None:
        raise CannotEditError("No side is scaled by a number.")
    inner: ast.expr = node.left
    form = "{}"
    if isinstance(inner, ast.BinOp) and isinstance(inner.op, (ast.Sub, ast.Add)):
        form = f"({{}} {'-' if isinstance(inner.op, ast.Sub) else '+'} {ast.unparse(inner.right)})"
    put(edit, place, f"{form} / {ast.unparse(node.right)}")


def _division(step: Step) -> ast.BinOp | None:
    for node in ast.walk(step.node):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.right, ast.Constant):
            return node
    return None
