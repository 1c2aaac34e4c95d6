"""Dropout where it belongs, at a usual rate, or none."""

from collections.abc import Iterator

import libcst as cst

from osler.doctor.case import Case
from osler.doctor.layer_places import BATCH_NORMS, DROPOUTS, layer_seen
from osler.doctor.mending.layer_edit import called, made, take_out, unwrap
from osler.doctor.mending.loss_edit import ways
from osler.doctor.mending.number_edit import set_setting
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, last_name
from osler.structures.finding import Finding
from osler.vitals.evidence import LayerSeen, Site

FUNCTIONS = tuple(d for d in DROPOUTS if d[0].islower())
MOST, LEAST, DOUBTFUL = 0.5, 0.1, 0.6
ACTIVATIONS = (
    "ReLU",
    "LeakyReLU",
    "GELU",
    "ELU",
    "SiLU",
    "Tanh",
    "Sigmoid",
    "SELU",
    "Mish",
    "Hardswish",
    "PReLU",
    "ReLU6",
    "Softplus",
)
CHOICE = "dropout"


# ---- rate


@prescribes("dropout-too-high")
def lower(finding: Finding, case: Case) -> Iterator[Prescription]:
    """The rate that was perhaps meant, 1 minus the given one, at most a half; else none. Of all that are too high at once."""
    high = _too_high(case)
    if not high:
        return
    rate = max(r for _, r in high)
    meant = min(MOST, max(LEAST, round(1 - rate, 2)))
    for text in (f"{meant:g}", "0.0"):
        yield _set(case, high, text)


def _too_high(case: Case) -> list[tuple[LayerSeen, float]]:
    found = []
    for model in case.models:
        for layer in model.layers.values():
            rate = layer.options.get("p", layer.options.get("dropout"))
            if (
                (layer.kind in DROPOUTS or "dropout" in layer.options)
                and isinstance(rate, (int, float))
                and rate >= DOUBTFUL
            ):
                found.append((layer, float(rate)))
    return found


def _set(case: Case, high: list[tuple[LayerSeen, float]], text: str) -> Prescription:
    def change(edit: ScriptEdit) -> None:
        done: set[tuple[Site | None, str]] = set()
        for layer, _ in high:
            if (layer.site, layer.kind) in done:
                continue
            done.add((layer.site, layer.kind))
            _one(edit, case, layer, text)

    names = ", ".join(dict.fromkeys(layer.name.partition(" (line")[0] for layer, _ in high[:3]))
    remedy = "lower the rate" if float(text) else "remove the dropout"
    return Prescription(
        remedy, f"Set the dropout rate of {names} to {text} in place of {high[0][1]:g}.", change, choice=CHOICE
    )


def _one(edit: ScriptEdit, case: Case, layer: LayerSeen, text: str) -> None:
    """The rate at the layer's own call; at what makes it where it is a part of one of torch's layers."""
    line = layer.site.line if layer.site is not None else 0
    own = [c for c in case.script.calls if c.line == line and c.last in (layer.kind, *FUNCTIONS)]
    if own:
        place = 1 if own[0].last[0].islower() else 0
        for call in own:
            set_setting(edit, case.script, Site(case.evidence.script, line), (call.last,), "p", place, text)
            break
        return
    set_setting(edit, case.script, layer.site, ("TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer", "LSTM", "GRU",
                                                "RNN", "MultiheadAttention"), "dropout", None, text)  # fmt: skip


# ---- on the output


@prescribes("dropout-on-output")
def off_output(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Before the last layer; else left out."""
    dropout, line = _name(finding, case), finding.where.line
    last = _last(case)

    def move(edit: ScriptEdit) -> None:
        _before(edit, case, dropout, line, last)

    def remove(edit: ScriptEdit) -> None:
        _remove(edit, case, dropout, line, last)

    yield Prescription("move the dropout", f"Put the dropout before {last}.", move, choice=CHOICE)
    yield Prescription("remove the dropout", f"Leave out the dropout after {last}.", remove, choice=CHOICE)


def _name(finding: Finding, case: Case) -> str | None:
    """The dropout's name, where it is a layer."""
    seen = layer_seen(case, finding.where.layer)
    return seen.name if seen is not None and seen.kind in DROPOUTS and not seen.name.endswith(")") else None


def _last(case: Case) -> str:
    for loss in case.losses():
        way = ways(case, loss)
        if way is not None and way.last.layer is not None:
            return way.last.layer
    raise CannotEditError("The last layer is not known.")


def _uses(edit: ScriptEdit, dropout: str | None, line: int | None) -> list[cst.Call]:
    if dropout is not None:
        return called(edit, dropout)
    return edit.calls(line, *FUNCTIONS) if line is not None else []


def _before(edit: ScriptEdit, case: Case, dropout: str | None, line: int | None, last: str) -> None:
    """Takes the dropout away from the output and puts it around what the last layer is given."""
    uses = _uses(edit, dropout, line)
    calls = called(edit, last)
    if uses and calls:
        use = _on(edit, uses, last)
        form = _form(edit, use)
        unwrap(edit, use)
        edit.wrap(calls[-1].args[0].value, form)
        return
    if dropout is None:
        raise CannotEditError("The last layer is not called by its name.")
    drop, layer = made(edit, case, dropout), made(edit, case, last)
    if not (edit.is_item(drop) and edit.is_item(layer)):
        raise CannotEditError("The two do not stand in one list.")
    text, other = edit.code(drop), edit.code(layer)
    edit.replace(drop, other)
    edit.replace(layer, text)


def _on(edit: ScriptEdit, uses: list[cst.Call], last: str) -> cst.Call:
    """The use on the output: that which takes the last layer's call, else the last one."""
    attribute = last.rpartition(".")[2]
    direct = [u for u in uses if f".{attribute}(" in edit.code(u)]
    return (direct or uses)[-1]


def _form(edit: ScriptEdit, use: cst.Call) -> str:
    """A call as text with `{}` where what it is given stands first."""
    rest = [edit.code(arg.with_changes(comma=cst.MaybeSentinel.DEFAULT)) for arg in use.args[1:]]
    return f"{edit.code(use.func)}({', '.join(['{}', *rest])})"


def _remove(edit: ScriptEdit, case: Case, dropout: str | None, line: int | None, last: str) -> None:
    uses = _uses(edit, dropout, line)
    if uses:
        unwrap(edit, _on(edit, uses, last))
    elif dropout is not None:
        take_out(edit, case, dropout, last)
    else:
        raise CannotEditError("The dropout is not found.")


# ---- before a norm


@prescribes("dropout-before-batchnorm")
def behind_norm(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Behind the norm and its activation; else left out."""
    dropout, line = _name(finding, case), finding.where.line
    norm = _norm_after(case, finding.where.layer)

    def move(edit: ScriptEdit) -> None:
        _behind(edit, case, dropout, line, norm)

    def remove(edit: ScriptEdit) -> None:
        _remove(edit, case, dropout, line, "")

    yield Prescription("turn their order", f"Put the dropout after {norm}.", move, choice=CHOICE)
    yield Prescription("keep one of them", f"Leave out the dropout before {norm}.", remove, choice=CHOICE)


def _norm_after(case: Case, dropout: str | None) -> str:
    """The batch norm that runs next after a dropout."""
    for model in case.models:
        ran = case.layers(model)
        names = [x.name.partition(" (line")[0] for x in ran]
        if dropout in names:
            for later in ran[names.index(dropout) + 1 :]:
                if later.kind in BATCH_NORMS:
                    return later.name
    raise CannotEditError("The norm is not known.")


def _behind(edit: ScriptEdit, case: Case, dropout: str | None, line: int | None, norm: str) -> None:
    uses, calls = _uses(edit, dropout, line), called(edit, norm)
    if uses and calls:
        inside = [u for u in uses if calls[0] in edit.above(u)]
        form = _form(edit, (inside or uses)[0])
        unwrap(edit, (inside or uses)[0])
        edit.wrap(calls[0], form)
        return
    if dropout is None:
        raise CannotEditError("The norm is not called by its name.")
    drop, target = made(edit, case, dropout), made(edit, case, norm)
    follower = _next_item(edit, target)
    if follower is not None and last_name(follower.func) in ACTIVATIONS:
        target = follower
    edit.insert_item(target, edit.code(drop))
    edit.remove_item(drop)


def _next_item(edit: ScriptEdit, call: cst.Call) -> cst.Call | None:
    item = edit.parent(call)
    whole = edit.parent(item) if item is not None else None
    items = list(whole.args if isinstance(whole, cst.Call) else getattr(whole, "elements", ()))
    place = items.index(item) + 1 if item in items else len(items)
    value = items[place].value if place < len(items) else None
    return value if isinstance(value, cst.Call) else None
