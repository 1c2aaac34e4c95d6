"""The loss of a program: its function or module changed for another one, its targets and its output made to fit."""

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.layer_places import LOSS_MODULES, WayOut, layer_seen, way_out
from osler.doctor.mending.layer_edit import called, function, made, module, put_behind, take_out, unwrap
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name
from osler.doctor.script_reading import CallRead
from osler.vitals.evidence import LossSeen, Producer

SHARED_OPTIONS = {  # of the new loss, which options of the old one mean the same
    ("nll_loss", "cross_entropy"): ("weight", "ignore_index", "reduction", "size_average"),
    ("binary_cross_entropy", "binary_cross_entropy_with_logits"): ("weight", "reduction", "size_average"),
}
OPERATIONS = {  # of autograd: functions and modules that do it
    "LogSoftmax": (("log_softmax",), ("LogSoftmax",)),
    "Softmax": (("softmax",), ("Softmax",)),
    "SafeSoftmax": (("softmax",), ("Softmax",)),
    "Sigmoid": (("sigmoid",), ("Sigmoid",)),
    "Tanh": (("tanh",), ("Tanh",)),
    "Relu": (("relu", "relu_"), ("ReLU",)),
    "Threshold": (("relu", "threshold"), ("ReLU", "Threshold")),
    "Hardtanh": (("hardtanh", "relu6"), ("Hardtanh", "ReLU6")),
    "HardtanhRelu": (("relu6",), ("ReLU6",)),
    "Relu6": (("relu6",), ("ReLU6",)),
    "ClampMin": (("clamp", "clamp_min", "clip", "relu"), ()),
    "Clamp": (("clamp", "clip"), ()),
}


def change_loss(edit: ScriptEdit, old: str, new: str) -> None:
    """Changes every use of a loss of torch, as a function or as a module, for another one.

    Raises:
        CannotEditError: the program does not name it.
    """
    kept = SHARED_OPTIONS.get((old, new), ("reduction",))
    functions = [call for _, call in edit.all_calls(old)]
    modules = [call for _, call in edit.all_calls(LOSS_MODULES[old])]
    for call in functions:
        _rename(edit, call, new, kept, 2, "torch.nn.functional")
    for call in modules:
        _rename(edit, call, LOSS_MODULES[new], kept, 0, "torch.nn")
    if not functions and not modules:
        raise CannotEditError(f"{old} is not named.")


def _rename(edit: ScriptEdit, call: cst.Call, new: str, kept: tuple[str, ...], places: int, home: str) -> None:
    if isinstance(call.func, cst.Name):
        edit.add_import(f"from {home} import {new}")

    def change(now: cst.Call) -> cst.Call:
        args = [
            arg for place, arg in enumerate(now.args)
            if (place < places if arg.keyword is None else arg.keyword.value in (*kept, "input", "target"))
        ]  # fmt: skip
        if args:
            args[-1] = args[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        name = cst.Name(new)
        func = now.func.with_changes(attr=name) if isinstance(now.func, cst.Attribute) else name
        return now.with_changes(func=func, args=args)

    edit.change(call, change)


def change_targets(edit: ScriptEdit, case: Case, losses: list[LossSeen], form: str) -> None:
    """Puts `form` in the place of what the losses are given as targets, with that where `{}` stands.

    Raises:
        CannotEditError: a call of a loss is not found.
    """
    for line in sorted({loss.site.line for loss in losses if loss.site is not None}):
        loss = next(x for x in losses if x.site is not None and x.site.line == line)
        edit.wrap(edit.at(loss_call(case, loss).node.args[1]), form)


def loss_call(case: Case, loss: LossSeen) -> CallRead:
    """The call of a loss in the program: of its function, of a module that is kept, or of a module made there.

    Raises:
        CannotEditError: it is not found.
    """
    site = loss.site
    there = [c for c in case.script.calls if site is not None and c.line <= site.line <= (c.node.end_lineno or c.line)]
    models = {m.name for m in case.evidence.models}
    fitting = [c for c in there if len(c.node.args) >= 2 and c.last == loss.function]
    fitting += [c for c in there if len(c.node.args) >= 2 and c.name.endswith(f"{LOSS_MODULES.get(loss.function)}()")]
    fitting += [c for c in there if len(c.node.args) == 2 and c.last not in models]
    if not fitting:
        raise CannotEditError("The call of the loss is not found.")
    return fitting[0]


def same_losses(case: Case, loss: LossSeen) -> list[LossSeen]:
    """All calls of the same function, those of evaluation included."""
    return [x for x in case.evidence.losses if x.function == loss.function]


def exchange_operation(
    edit: ScriptEdit, case: Case, producer: Producer, over: str | None, new: tuple[str, str] | None
) -> None:
    """Puts another operation in the place of one on the way to the loss, or takes it out.

    Args:
        producer: what was recorded of it.
        over: the layer whose output it is given.
        new: function and module that take its place, as `("sigmoid", "Sigmoid()")`; None for nothing.

    Raises:
        CannotEditError: it is not found.
    """
    name = producer.operation.rpartition("::")[2].partition("Backward")[0]
    functions, modules = OPERATIONS.get(name, ((), ()))
    seen = layer_seen(case, producer.layer)
    if seen is not None and not seen.name.endswith(")") and seen.kind in modules:
        if new is None:
            take_out(edit, case, seen.name, over)
        elif len(called(edit, seen.name)) < 2:
            call = made(edit, case, seen.name)
            edit.replace(call, module(edit, call, new[1]))
        else:
            raise CannotEditError("The module is used several times.")
        return
    line = (
        seen.site.line if seen is not None and seen.site is not None else producer.site.line if producer.site else None
    )
    everywhere = [call for _, call in edit.all_calls(*functions)]
    alone = everywhere if line is None and len(everywhere) == 1 else []  # a method that is not watched
    for call in edit.calls(line, *functions, *modules) if line is not None else alone:
        if last_name(call.func) in modules:
            edit.replace(call, module(edit, call, new[1] if new else "Identity()"))
            return
        _exchange_call(edit, call, new)
        return
    raise CannotEditError(f"No {name} stands at line {line}.")


def _exchange_call(edit: ScriptEdit, call: cst.Call, new: tuple[str, str] | None) -> None:
    unwrap(edit, call)
    if new is not None:
        name, argument = function(edit, new[0]), ", dim=1" if "softmax" in new[0] else ""
        edit.wrap(call, f"{name}({{}}{argument})")


def ways(case: Case, loss: LossSeen) -> WayOut | None:
    """What stands between the last layer and a loss; of the network's output where the loss tells nothing."""
    way = way_out(case, loss.made_by)
    if way is None:
        for model in case.evidence.trained_models[:1]:
            way = way_out(case, model.outputs_of)
    return way


def remove_last(edit: ScriptEdit, case: Case, loss: LossSeen, *operations: str) -> bool:
    """Takes an operation that stands last before a loss out; False where none of these stands there."""
    way = ways(case, loss)
    for producer in way.operations if way is not None else ():
        if producer.operation.rpartition("::")[2].startswith(operations) and way is not None:
            exchange_operation(edit, case, producer, way.last.layer, None)
            return True
    return False


def squash_output(edit: ScriptEdit, case: Case, layer: str, width: int) -> None:
    """Puts a sigmoid, or a softmax where there are several units, behind the last layer."""
    if width == 1:
        put_behind(edit, case, layer, "Sigmoid()", "sigmoid")
        return
    calls = called(edit, layer)
    if calls and "." not in layer:
        for call in calls:
            edit.wrap(call, f"{function(edit, 'softmax')}({{}}, dim=1)")
    else:
        put_behind(edit, case, layer, "Softmax(dim=1)")
