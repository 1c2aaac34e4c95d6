"""Answers taken from outputs as these are: a threshold where there is one output, and the largest along the axis of classes."""

import ast
import re
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name, with_argument
from osler.doctor.mending.value_edit import put
from osler.doctor.remedies.class_imbalance import weigh
from osler.doctor.script_reading import dotted
from osler.structures.finding import Finding
from osler.vitals.evidence import ModelSeen

CHOICE = "answers"
LARGEST = ("argmax", "max", "topk")
PROBABILITIES = ("Sigmoid", "Softmax", "Hardsigmoid", "Clamp")
SHAPING = (
    "Squeeze",
    "View",
    "Unsqueeze",
    "Reshape",
    "Select",
    "Slice",
    "Alias",
    "Unsafe",
    "ToCopy",
    "Permute",
    "Transpose",
)


@prescribes("wrong-metric")
def right_metric(finding: Finding, case: Case) -> Iterator[Prescription]:
    """By what was done to the outputs at the line."""
    line = finding.where.line
    if line is None:
        return
    yield from _of_answers(finding, case, line)


def _of_answers(finding: Finding, case: Case, line: int) -> Iterator[Prescription]:
    said, remedy = finding.evidence, "make answers that fit"
    change = finding.remedies[0].change
    edits: list[Edit] = []
    if "one value only" in said:
        edits = [lambda edit: _threshold(edit, case, line)]
    elif "axis of samples" in said:
        edits = [lambda edit: _axis(edit, line)]
    elif "ends with a sigmoid" in said:
        edits = [lambda edit: _no_sigmoid(edit, case, line)]
    elif "probability of 0.62" in said:
        edits = [lambda edit: _edge_of_scores(edit, case, line)]
    elif "bit by bit" in said:
        edits = [lambda edit: _by_class(edit, case, line)]
    elif "are compared: that" in said or "every output is compared" in said:
        edits = [lambda edit: _same_shape(edit, case, line)]
    for edit in edits:
        yield Prescription(remedy, change, edit, choice=CHOICE)


def _ends_in_probability(case: Case) -> bool:
    model = case.models[0]
    first = next((p.operation for p in model.outputs_of if not p.operation.startswith(SHAPING)), "")
    return first.startswith(PROBABILITIES)


def _edge(case: Case) -> str:
    return "0.5" if _ends_in_probability(case) else "0"


def _threshold(edit: ScriptEdit, case: Case, line: int) -> None:
    """`net(x).argmax(1)` becomes `(net(x).squeeze(1) > 0).long()`, `_, p = torch.max(out, 1)` `p = ...`."""
    for call in edit.calls(line, *LARGEST):
        value, _method = _given(edit, call)
        answer = f"({value}.squeeze(1) > {_edge(case)}).long()"
        keeps = any(a.keyword is not None and a.keyword.value == "keepdim" for a in call.args)
        if keeps:
            answer = f"({value} > {_edge(case)}).long()"
        parent = edit.parent(call)
        if last_name(call.func) == "argmax":
            edit.replace(call, answer)
            return
        if isinstance(parent, (cst.Subscript, cst.Attribute)):
            edit.replace(parent, answer)
            return
        if isinstance(parent, cst.Assign) and isinstance(parent.targets[0].target, cst.Tuple):
            names = [edit.code(e.value) for e in parent.targets[0].target.elements]
            edit.replace_statement(line, f"{names[-1]} = {answer}")
            return
    raise CannotEditError(f"No argmax stands at line {line}.")


def _given(edit: ScriptEdit, call: cst.Call) -> tuple[str, bool]:
    """What a function or method takes the largest of, with brackets where it needs them; and whether it is a method."""
    function = call.func
    if isinstance(function, cst.Attribute) and not (
        isinstance(function.value, cst.Name) and function.value.value in ("torch", "np", "numpy")
    ):
        return edit.code(function.value), True
    if not call.args:
        raise CannotEditError("It is given nothing.")
    value = call.args[0].value
    text = edit.code(value)
    plain = isinstance(value, (cst.Name, cst.Call, cst.Attribute, cst.Subscript))
    return (text if plain else f"({text})"), False


def _axis(edit: ScriptEdit, line: int) -> None:
    """`out.argmax(0)`, `torch.max(out, dim=0)`: along the axis of classes."""
    calls = edit.calls(line, *LARGEST, "softmax")
    if not calls:
        raise CannotEditError(f"No argmax stands at line {line}.")
    name = "axis" if any(a.keyword is not None and a.keyword.value == "axis" for a in calls[0].args) else "dim"
    place = 0 if _given(edit, calls[0])[1] else 1
    edit.change(calls[0], lambda now: with_argument(now, name, "1", place))


def _no_sigmoid(edit: ScriptEdit, case: Case, line: int) -> None:
    """`torch.sigmoid(net(x))` gives way to `net(x)`, and `net(x).sigmoid()` too."""
    for node in (
        c.node for c in case.script.calls_of("sigmoid", "expit") if c.line <= line <= (c.node.end_lineno or c.line)
    ):
        if node.args:
            edit.replace(edit.at(node), edit.code(edit.at(node.args[0])))
            return
        if isinstance(node.func, ast.Attribute):
            edit.replace(edit.at(node), edit.code(edit.at(node.func.value)))
            return
    raise CannotEditError(f"No sigmoid stands at line {line}.")


def _edge_of_scores(edit: ScriptEdit, case: Case, line: int) -> None:
    """A half becomes 0; what was rounded is compared with 0."""
    for node in ast.walk(case.script.tree):
        if (
            isinstance(node, ast.Compare)
            and node.lineno <= line <= (node.end_lineno or node.lineno)
            and len(node.ops) == 1
        ):
            edge = node.comparators[0]
            if isinstance(edge, ast.Constant) and edge.value == 0.5:
                edit.replace(edit.at(edge), "0")
                return
    for call in edit.calls(line, "round"):
        value, _ = _given(edit, call)
        edit.replace(call, f"({value} > 0).float()")
        return
    raise CannotEditError(f"No edge stands at line {line}.")


def _comparison(case: Case, line: int) -> tuple[ast.expr, ast.expr]:
    """Both sides of the comparison at a line.

    Raises:
        CannotEditError: there is none.
    """
    for node in ast.walk(case.script.tree):
        if line != getattr(node, "lineno", 0):
            continue
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            return node.left, node.comparators[0]
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "eq" and node.args:
            if len(node.args) == 2:
                return node.args[0], node.args[1]
            if isinstance(node.func, ast.Attribute):
                return node.func.value, node.args[0]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            return node.left, node.right
        if isinstance(node, ast.Call) and len(node.args) == 2 and "loss" in dotted(node.func).lower():
            return node.args[0], node.args[1]
    raise CannotEditError(f"No comparison stands at line {line}.")


def _by_class(edit: ScriptEdit, case: Case, line: int) -> None:
    """Both sides as class numbers; of rounded scores the scores themselves."""
    for side in _comparison(case, line):
        text = edit.code(edit.at(side))
        plain = re.sub(r"\.(round|float|int|long)\(\)$|\s*>=?\s*0?\.5$", "", text).strip()
        edit.replace(
            edit.at(side),
            f"{plain}.argmax(1)"
            if plain.startswith("(") or re.fullmatch(r"[\w.\[\]()]+", plain)
            else f"({plain}).argmax(1)",
        )


def _same_shape(edit: ScriptEdit, case: Case, line: int) -> None:
    """The side with a second axis of length 1 is flattened."""
    left, right = _comparison(case, line)
    seen = next(
        (b for b in case.evidence.broadcasts if not b.learns and b.site is not None and b.site.line == line), None
    )
    if seen is None:
        put(edit, left, "{}.flatten()")
        put(edit, right, "{}.flatten()")
        return
    put(edit, left if len(seen.shapes[0]) > len(seen.shapes[1]) else right, "{}.squeeze(1)")


# ---- precision and recall


@prescribes("precision-recall-imbalance")
def balance(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The edge at a half of probabilities, no sigmoid twice, no lopsided weight; else the classes weighed."""
    model, line = case.models[0], finding.where.line
    for (done, site), _ in model.applied.most_common():
        if done == "sigmoid" and _ends_in_probability(case):
            at = site.line

            def once(edit: ScriptEdit, at: int = at) -> None:
                _no_sigmoid(edit, case, at)

            yield Prescription("move the edge", f"Take the second sigmoid at line {at} out.", once, choice=CHOICE)
    if line is not None:

        def edge(edit: ScriptEdit) -> None:
            _to_a_half(edit, case, model, line)

        yield Prescription(
            "move the edge",
            f"Compare at line {line} with a half of probabilities, or scores with 0.",
            edge,
            choice=CHOICE,
        )
    yield from _without_weights(case)
    yield from weigh(case)


def _to_a_half(edit: ScriptEdit, case: Case, model: ModelSeen, line: int) -> None:
    for node in ast.walk(case.script.tree):
        if (
            isinstance(node, ast.Compare)
            and node.lineno == line
            and isinstance(node.ops[0], (ast.Gt, ast.GtE, ast.Lt, ast.LtE))
        ):
            edge = node.comparators[0]
            if not isinstance(edge, ast.Constant) or not isinstance(edge.value, (int, float)):
                continue
            squashed = (
                "sigmoid" in ast.unparse(node.left) or "softmax" in ast.unparse(node.left) or _ends_in_probability(case)
            )
            squashed = squashed or any(done == "sigmoid" for (done, _), _ in model.applied.items())
            new = "0.5" if squashed else "0"
            if edge.value != float(new):
                edit.replace(edit.at(edge), new)
                return
    raise CannotEditError(f"No edge stands at line {line}.")


def _without_weights(case: Case) -> Iterator[Prescription]:
    """The weights that a loss has are taken away."""
    for loss in case.losses():
        for name in ("pos_weight", "weight"):
            given = loss.options.get(name)
            if not (isinstance(given, tuple) and len(given)):
                continue
            calls = [c for c in case.script.calls if c.keyword(name) is not None]
            if calls:
                call = calls[0]

                def remove(edit: ScriptEdit, call=call, name: str = name) -> None:  # type: ignore[no-untyped-def]
                    edit.remove_argument(call.line, call.last, name)

                yield Prescription(
                    "balance the classes", f"Leave {name} at line {call.line} out.", remove, changes_loss=True
                )
                return
