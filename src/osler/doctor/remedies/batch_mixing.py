"""Samples kept apart: batch first where a layer takes time first, axes exchanged rather than values dealt anew."""

import ast
from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.checks.batch_mixing import BATCH_FIRST, MOVING, OVER_BATCH
from osler.doctor.mending.layer_edit import called, made, model_with, unwrap
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name, with_argument
from osler.doctor.script_reading import CallRead, dotted
from osler.structures.finding import Finding

CHOICE = "how samples are kept apart"
SHAPING = ("view", "reshape")
MAKERS = (*BATCH_FIRST, "Softmax", "LogSoftmax", "Flatten")
STATISTICS = ("mean", "sum", "std", "var", "amax", "amin", "norm", "max", "min")


@prescribes("batch-mixing")
def prescribe(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The layer with the batch first; axes in another order; the axis of the samples left alone."""
    line, layer = finding.where.line, finding.where.layer
    line = line or _maker_line(case, layer)
    if line is None:
        return
    at = f"at line {line}"
    offers: list[tuple[str, str, Edit]] = []
    if any(c.last in MAKERS for c in _calls(case, line)):
        offers += [
            ("batch_first", f"Make the layer {at} take the batch first.", lambda edit: _batch_first(edit, case, line)),
            (
                "another axis",
                f"Let the layer {at} leave the samples' axis alone.",
                lambda edit: _layer_axis(edit, case, line),
            ),
            (
                "transpose around it",
                f"Exchange the first two axes before and after {layer}.",
                lambda edit: _transposed(edit, case, layer or ""),
            ),
        ]
    dealt = f"Exchange axes {at}, rather than deal the values anew."
    offers += [
        ("another axis", f"Leave the samples' axis alone {at}.", lambda edit: _other_axis(edit, case, line)),
        ("transpose instead of view", dealt, lambda edit: _exchanged(edit, case, line)),
        ("keep the batch first", f"Keep the first axis first {at}.", lambda edit: _kept_first(edit, case, line)),
        ("leave it out", f"Leave out what moves values {at}.", lambda edit: _left_out(edit, case, line)),
    ]
    for remedy, change, edit in offers:
        yield Prescription(remedy, change, edit, choice=CHOICE)


def _maker_line(case: Case, layer: str | None) -> int | None:
    """Where a layer that the program does not make itself comes from: its kind, or that of what holds it, made in the script."""
    parts = (layer or "").split(".")
    for depth in range(len(parts), 0, -1):
        _, seen = model_with(case, ".".join(parts[:depth]))
        if seen.kind in BATCH_FIRST and (calls := case.script.calls_of(seen.kind)):
            return calls[0].line
    return None


def _calls(case: Case, line: int) -> list[CallRead]:
    """The calls at a line, those of a statement over several lines included."""
    return [c for c in case.script.calls if c.line <= line <= (c.node.end_lineno or c.line)]


def _named(case: Case, line: int, *names: str) -> list[ast.Call]:
    return [c.node for c in _calls(case, line) if _last(c.node) in names]


def _last(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)


# ---- layers


def _batch_first(edit: ScriptEdit, case: Case, line: int) -> None:
    """Gives the layer `batch_first=True`, of an encoder the layer that it is made of, and first states the batch's size."""
    found = _named(case, line, *BATCH_FIRST)
    inner = [c for c in found if _last(c) not in ("TransformerEncoder", "TransformerDecoder")]
    kinds = {_last(c).removesuffix("Layer") + "Layer" for c in found}
    inner = inner or [c.node for c in case.script.calls if c.last in kinds]
    if not inner:
        raise CannotEditError("No layer that takes time first is made there.")
    for call in inner:
        node = edit.at(call)
        edit.change(node, lambda now: with_argument(now, "batch_first", "True"))
    _first_states(edit, case)


def _first_states(edit: ScriptEdit, case: Case) -> None:
    """`torch.zeros(1, x.size(1), 32)` for a first state takes the batch's size from the first axis."""
    for function in case.script.functions().values():
        for node in ast.walk(function):
            if (
                not isinstance(node, ast.Call)
                or _last(node) not in ("zeros", "new_zeros", "randn")
                or len(node.args) < 2
            ):
                continue
            middle = node.args[1]
            if isinstance(middle, ast.Call) and _last(middle) == "size" and ast.unparse(middle).endswith("size(1)"):
                edit.replace(edit.at(middle.args[0]), "0")
            elif isinstance(middle, ast.Subscript) and ast.unparse(middle).endswith("shape[1]"):
                edit.replace(edit.at(middle.slice), "0")


def _layer_axis(edit: ScriptEdit, case: Case, line: int) -> None:
    """`nn.Softmax(dim=0)` becomes `nn.Softmax(dim=-1)`, `nn.Flatten(0)` becomes `nn.Flatten()`."""
    for call in _named(case, line, "Softmax", "LogSoftmax"):
        edit.change(edit.at(call), lambda now: with_argument(now, "dim", "-1", 0))
        return
    for call in _named(case, line, "Flatten"):
        edit.change(edit.at(call), lambda now: with_argument(now, "start_dim", "1", 0))
        return
    raise CannotEditError("No layer with an axis is made there.")


def _transposed(edit: ScriptEdit, case: Case, layer: str) -> None:
    """`out, _ = self.rnn(x)` becomes `out, _ = self.rnn(x.transpose(0, 1))`, and `out` is turned back behind it."""
    maker = made(edit, case, layer)
    for call in called(edit, layer):
        statement = next(s for s in edit.above(call) if isinstance(s, cst.SimpleStatementLine))
        small = statement.body[0]
        target = small.targets[0].target if isinstance(small, cst.Assign) and small.value is call else None
        first = target.elements[0].value if isinstance(target, cst.Tuple) else target
        if not isinstance(first, cst.Name) or last_name(maker.func) not in BATCH_FIRST:
            raise CannotEditError("The layer's output is not kept under a name.")
        for arg in call.args[:3] if "Attention" in last_name(maker.func) else call.args[:1]:
            edit.wrap(arg.value, "{}.transpose(0, 1)")
        edit.insert_after(edit.line_of(statement), f"{first.value} = {first.value}.transpose(0, 1)")


# ---- operations


def _other_axis(edit: ScriptEdit, case: Case, line: int) -> None:
    """A softmax, mean, sort and so on along the samples goes along the next axis; a statistic of all goes by sample."""
    for call in _named(
        case, line, *OVER_BATCH, "std", "var", "log_softmax", "roll", "amax", "amin", "cumprod", "argsort"
    ):
        last = _last(call)
        axis = next((k.value for k in call.keywords if k.arg in ("dim", "axis", "dims")), None)
        if axis is None:
            axis = next((a for a in reversed(call.args) if ast.unparse(a) in ("0", "(0,)", "[0]")), None)
        if axis is not None and ast.unparse(axis) in ("0", "(0,)", "[0]"):
            new = "-1" if "softmax" in last else "1"
            edit.replace(edit.at(axis), new)
            if last in STATISTICS and not any("keepdim" in (k.arg or "") for k in call.keywords):
                edit.change(edit.at(call), lambda now: with_argument(now, "keepdim", "True"))
            return
        plain = isinstance(call.func, ast.Attribute) and not call.args and not call.keywords
        if axis is None and plain and last in STATISTICS:
            edit.change(edit.at(call), _by_sample)
            return
        if axis is None and last == "roll" and len(call.args) in (1, 2):
            edit.change(edit.at(call), lambda now: with_argument(now, "dims", "1"))
            return
    raise CannotEditError("Nothing runs along the samples there.")


def _by_sample(now: cst.Call) -> cst.Call:
    return with_argument(with_argument(now, "dim", "-1"), "keepdim", "True")


def _exchanged(edit: ScriptEdit, case: Case, line: int) -> None:
    """`x.view(time, -1, width)` becomes `x.view(-1, time, width).transpose(0, 1)`."""
    for call in _named(case, line, *SHAPING):
        if not isinstance(call.func, ast.Attribute):
            continue
        sizes = [ast.unparse(a) for a in (call.args[0].elts if _is_one_tuple(call) else call.args)]  # type: ignore[attr-defined]
        if dotted(call.func).startswith("torch.") or len(sizes) < 2:
            continue
        if any("Starred" in type(a).__name__ for a in call.args):
            continue
        swapped = ", ".join([sizes[1], sizes[0], *sizes[2:]])
        form = f".reshape(({swapped}))" if _is_one_tuple(call) else f".reshape({swapped})"
        node = edit.at(call)
        back = edit.parent(edit.parent(node) or node)
        turned = isinstance(back, cst.Call) and edit.code(back).endswith((".transpose(0, 1)", ".transpose(1, 0)"))
        if turned and isinstance(back, cst.Call) and isinstance(back.func, cst.Attribute) and back.func.value is node:
            edit.replace(back, edit.code(edit.at(call.func.value)) + form)
        else:
            edit.replace(node, edit.code(edit.at(call.func.value)) + form + ".transpose(0, 1)")
        return
    raise CannotEditError("No view stands there.")


def _is_one_tuple(call: ast.Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], (ast.Tuple, ast.List))


def _kept_first(edit: ScriptEdit, case: Case, line: int) -> None:
    """`x.permute(1, 0, 2, 3)` becomes `x.permute(0, 1, 2, 3)`, `x.flatten()` starts behind the samples."""
    for call in _named(case, line, "permute"):
        axes = [ast.unparse(a) for a in call.args]
        if "0" in axes and axes[0] != "0" and not axes[0].startswith("("):
            order = ["0", *(a for a in axes if a != "0")]
            if order == sorted(order):
                edit.change(edit.at(call), lambda now: now.func.value)
            else:
                for node, new in zip(call.args, order, strict=True):
                    edit.replace(edit.at(node), new)
            return
    for call in _named(case, line, "flatten"):
        edit.change(edit.at(call), lambda now: with_argument(now, "start_dim", "1", 0))
        return
    raise CannotEditError("No order of axes stands there.")


def _left_out(edit: ScriptEdit, case: Case, line: int) -> None:
    """`x.transpose(0, 1).reshape(...)` becomes `x.reshape(...)`."""
    moving = [n for n in MOVING if n not in (*SHAPING, "flatten", "unflatten")]
    for call in _named(case, line, *moving, "flip", "sort"):
        node = edit.at(call)
        if isinstance(node, cst.Call):
            unwrap_moved(edit, node)
            return
    raise CannotEditError("Nothing that moves values stands there.")


def unwrap_moved(edit: ScriptEdit, call: cst.Call) -> None:
    """Puts the tensor in the place of a method or function of torch that moves its values."""
    if isinstance(call.func, cst.Attribute) and edit.code(call.func.value) != "torch":
        edit.change(call, lambda now: now.func.value)
    else:
        unwrap(edit, call)
