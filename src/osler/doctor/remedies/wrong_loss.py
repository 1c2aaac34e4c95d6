"""The loss of the task, with targets and outputs that fit it."""

import ast
import re
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import BINARY_LOSSES, CLASS_LOSSES, REGRESSION_LOSSES, Case
from osler.doctor.layer_places import LOSS_MODULES
from osler.doctor.mending.layer_edit import set_width
from osler.doctor.mending.loss_edit import (
    change_loss,
    change_targets,
    exchange_operation,
    loss_call,
    remove_last,
    same_losses,
    ways,
)
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, without_argument
from osler.structures.finding import Finding
from osler.vitals.evidence import LossSample, LossSeen

CHOICE = "loss and output"
SCORES, DISTANCE, CLASSES = "binary_cross_entropy_with_logits", "mse_loss", "cross_entropy"
SQUEEZED = re.compile(r"\.(squeeze|flatten|view|reshape)\([^()]*\)$|\[:, 0\]$")


@prescribes("wrong-loss")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """By the loss that was used, and what it was given."""
    loss = _at_fault(finding, case)
    samples = [s for s in loss.samples if s.moment == "train" and s.input.count]
    values = set(loss.targets)
    if "Take the minus away" in finding.remedies[0].change or "maximize" in finding.remedies[0].change:
        yield _offer("use the loss of the task", finding.remedies[0].change, lambda e: turn_sign(e, case, loss))
    elif loss.function in CLASS_LOSSES:
        yield from _of_classes(case, loss, samples, values)
    elif _one_hot(samples, values) or (loss.function in REGRESSION_LOSSES and not _columns(samples)):
        yield from _of_one_hot(case, loss)
    elif loss.function in BINARY_LOSSES and values <= {0.0, 1.0}:
        yield _offer(
            "use the loss of the task", "Use a sigmoid in place of the softmax.", lambda e: _sigmoid(e, case, loss)
        )
    elif all(v.is_integer() and v >= 0 for v in values):
        yield from _of_class_numbers(case, loss, len(values))
    else:
        yield _offer("use the loss of the task", f"Use {DISTANCE}.", lambda e: _to_distance(e, case, loss))


def _offer(remedy: str, told: str, change: Edit) -> Prescription:
    return Prescription(remedy, told, change, choice=CHOICE, changes_loss=True)


def _at_fault(finding: Finding, case: Case) -> LossSeen:
    """The loss that is told of by its line, that of its call or of its making; else the most used."""
    named = [x for x in case.losses() if f"{x.function} " in finding.evidence + " "]
    here = [x for x in named if x.site is not None and x.site.line == finding.where.line]
    return (here or named or case.losses())[0]


def _columns(samples: list[LossSample]) -> bool:
    return all(len(s.input.shape) < 2 or s.input.shape[1] == 1 for s in samples)


def _one_hot(samples: list[LossSample], values: set[float]) -> bool:
    wide = [s.target for s in samples if s.target is not None and len(s.target.shape) == 2 and s.target.shape[1] > 1]
    return bool(wide) and values <= {0.0, 1.0} and all(abs(t.mean * t.shape[1] - 1) < 1e-3 for t in wide)


# ---- cross entropy


def _of_classes(case: Case, loss: LossSeen, samples: list[LossSample], values: set[float]) -> Iterator[Prescription]:
    """One column, or several classes at once."""
    binary = values <= {0.0, 1.0}
    new = SCORES if binary else DISTANCE
    form = _as_numbers(samples, loss)

    def scores(edit: ScriptEdit) -> None:
        change_loss(edit, loss.function, new)
        if form != "{}":
            change_targets(edit, case, same_losses(case, loss), form)

    yield _offer("use the loss of the task", f"Use {new} in place of {loss.function}.", scores)
    way = ways(case, loss)
    if binary and _columns(samples) and way is not None and way.last.layer is not None:
        layer = way.last.layer

        def two(edit: ScriptEdit) -> None:
            set_width(edit, case, layer, "out_features", 1, 2)
            change_targets(edit, case, same_losses(case, loss), "{}.flatten().long()")

        yield _offer("change the targets", f"Give {layer} two units, and cross_entropy the class numbers.", two)


def _as_numbers(samples: list[LossSample], loss: LossSeen) -> str:
    """What makes targets the shape and type of the output."""
    shapes = {(s.input.shape, s.target.shape) for s in samples if s.target is not None}
    form = "{}"
    if all(len(i) == len(t) + 1 and i[-1] == 1 for i, t in shapes):
        form += ".unsqueeze(1)"
    return form + (".float()" if loss.target_is_integer else "")


# ---- one class of many


def _of_one_hot(case: Case, loss: LossSeen) -> Iterator[Prescription]:
    """Cross entropy on the plain scores: it takes rows of probabilities as targets too."""

    def change(edit: ScriptEdit) -> None:
        remove_last(edit, case, loss, "Softmax", "Sigmoid", "LogSoftmax", "Tanh", "Relu")
        change_loss(edit, loss.function, CLASSES)

    yield _offer("use the loss of the task", f"Use {CLASSES} on the plain scores in place of {loss.function}.", change)


def _of_class_numbers(case: Case, loss: LossSeen, count: int) -> Iterator[Prescription]:
    """A unit for each class, cross entropy, and the largest score where the answer was rounded."""
    way = ways(case, loss)
    layer = way.last.layer if way is not None else None
    total = max(count, int(max(loss.targets, default=0)) + 1)

    def change(edit: ScriptEdit) -> None:
        if layer is None:
            raise CannotEditError("The last layer is not known.")
        remove_last(edit, case, loss, "Softmax", "Sigmoid", "Tanh", "Relu")
        set_width(edit, case, layer, "out_features", 1, total)
        change_loss(edit, loss.function, CLASSES)
        _class_numbers(edit, case, loss)
        _largest(edit, case, loss)

    yield _offer(
        "use the loss of the task", f"Give {layer} {total} units, and use {CLASSES} with the class numbers.", change
    )


def _class_numbers(edit: ScriptEdit, case: Case, loss: LossSeen) -> None:
    """Targets as whole numbers without a second axis; the output as it is, without the squeezing that one column needs."""
    for line in sorted({x.site.line for x in same_losses(case, loss) if x.site is not None}):
        seen = next(x for x in case.evidence.losses if x.site is not None and x.site.line == line)
        first, second = (edit.at(a) for a in loss_call(case, seen).node.args[:2])
        plain = SQUEEZED.sub("", edit.code(first))
        if plain != edit.code(first):
            edit.replace(first, plain)
        targets = re.sub(r"\.float\(\)|\.unsqueeze\(-?1\)|\.view\(-1, 1\)|\.reshape\(-1, 1\)", "", edit.code(second))
        edit.replace(second, f"{targets}.flatten().long()")


def _largest(edit: ScriptEdit, case: Case, loss: LossSeen) -> None:
    """`answer.round()` becomes `answer.argmax(1)`, with a second axis where the targets have one."""
    wide = any(s.target is not None and len(s.target.shape) == 2 for s in loss.samples)
    largest = ".argmax(1, keepdim=True)" if wide else ".argmax(1)"
    for _, call in edit.all_calls("round", "rint"):
        if not isinstance(call.func, cst.Attribute):
            continue
        method = not (isinstance(call.func.value, cst.Name) and call.func.value.value in ("torch", "np", "numpy"))
        if (method and call.args) or (not method and not call.args):
            continue
        inner = edit.code(call.func.value if method else call.args[0].value)
        edit.replace(call, SQUEEZED.sub("", inner) + largest)


# ---- others


def _sigmoid(edit: ScriptEdit, case: Case, loss: LossSeen) -> None:
    way = ways(case, loss)
    for producer in way.operations if way is not None else ():
        if producer.operation.startswith(("Softmax", "SafeSoftmax")) and way is not None:
            new = None if loss.function == SCORES else ("sigmoid", "Sigmoid()")
            exchange_operation(edit, case, producer, way.last.layer, new)
            return
    raise CannotEditError("The softmax is not found.")


def _to_distance(edit: ScriptEdit, case: Case, loss: LossSeen) -> None:
    remove_last(edit, case, loss, "Sigmoid", "Softmax")
    change_loss(edit, loss.function, DISTANCE)


def turn_sign(edit: ScriptEdit, case: Case, loss: LossSeen) -> None:
    """Takes the minus before a loss away, or `maximize=True` of the optimizer.

    Raises:
        CannotEditError: there is neither.
    """
    for _, call in edit.every(cst.Call):
        if any(a.keyword is not None and a.keyword.value == "maximize" for a in call.args):
            edit.change(call, lambda now: without_argument(now, "maximize"))
            return
    lines = [b.site.line for b in case.evidence.backwards[:1] if b.site is not None]
    lines += [loss.site.line] if loss.site is not None else []
    names = {n for a in case.script.assignments if a.line in lines for n in a.names}
    names |= {c.name.rpartition(".")[0] for c in case.script.calls_of("backward")}
    held = {n for a in case.script.assignments if _names_loss(a.value, loss) for n in a.names}
    for _, node in edit.every(cst.UnaryOperation):
        code = edit.code(node.expression)
        about = code.strip("()") in names | held or _called(code, loss, held)
        if isinstance(node.operator, cst.Minus) and about:
            edit.change(node, lambda now: now.expression)
            return
    raise CannotEditError("No minus stands before the loss.")


def _called(code: str, loss: LossSeen, held: set[str]) -> bool:
    begin = code.partition("(")[0]
    return begin.rpartition(".")[2] in (loss.function, LOSS_MODULES.get(loss.function)) or (
        bool(begin) and begin in held
    )


def _names_loss(value: ast.expr, loss: LossSeen) -> bool:
    names = {
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(value)
        if isinstance(n, (ast.Attribute, ast.Name))
    }
    return bool(names & {loss.function, LOSS_MODULES.get(loss.function, "")})
