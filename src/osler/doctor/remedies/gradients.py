"""Gradients that vanish or explode on their way back: activations, norms, first weights, gates, and clipping."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.gradient_course import over_calls
from osler.doctor.initial_weights import initial_weights
from osler.doctor.mending.activation_edit import exchange, hidden
from osler.doctor.mending.clipping_edit import clip
from osler.doctor.mending.initial_edit import (
    after_making,
    give_rule,
    initialiser,
    rule,
    rule_for_all,
    take_out_setter,
)
from osler.doctor.mending.initial_setters import set_by, sets_bias, setters
from osler.doctor.mending.norm_edit import put_norms
from osler.doctor.mending.number_edit import third
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.rate_edit import most_used, scale_rates
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit, without_argument
from osler.structures.finding import Finding
from osler.vitals.activations import SIGMOIDS, TANHS
from osler.vitals.evidence import LayerSeen, ModelSeen

DEEP = 6  # layers with weights from which an exchanged activation also wants He's rule
RECURRENT = {"RNN": "GRU", "RNNCell": "GRUCell"}
NORMED = ("Linear", "Conv1d", "Conv2d", "Conv3d")
CHOICE = "gradients"


def model_of(finding: Finding, case: Case) -> ModelSeen:
    """The network that a finding is about."""
    models = case.models
    return next((m for m in models if finding.where.layer in m.layers), models[0])


# ---- vanishing


@prescribes("vanishing-gradient")
def keep(finding: Finding, case: Case) -> Iterator[Prescription]:
    """In a cell tanh for sigmoid and an orthogonal start, or gates; over layers ReLU, norms, and He's rule."""
    model = model_of(finding, case)
    cells = [x for x in case.layers(model) if x.parameters and over_calls(case, x) is not None]
    gated = [x for x in case.layers(model) if x.kind in RECURRENT]
    if cells:
        yield from _in_cells(case, model, cells)
    elif gated and "steps" in finding.evidence:
        yield _gates(gated)
    else:
        yield from _over_layers(case, model)


def _in_cells(case: Case, model: ModelSeen, cells: list[LayerSeen]) -> Iterator[Prescription]:
    sigmoids, tanhs = hidden(case, model, SIGMOIDS), hidden(case, model, TANHS)
    if sigmoids and not tanhs:
        yield Prescription(
            "another activation", "Use tanh in the cell in place of sigmoid: its slope at 0 is 1, not a quarter.",
            lambda e: exchange(e, case, model, sigmoids, "tanh"), choice=CHOICE,
        )  # fmt: skip
    yield _orthogonal(case, model, cells)
    plain = [x for x in case.layers(model) if x.kind in RECURRENT]
    if plain:
        yield _gates(plain)


def _orthogonal(case: Case, model: ModelSeen, cells: list[LayerSeen]) -> Prescription:
    """The square matrices of a cell start orthogonal: they neither shrink nor stretch what comes back."""
    square = [
        f"{p}"
        for x in cells
        for p in x.parameters
        if p in model.parameters and len(model.parameters[p].shape) == 2 and len(set(model.parameters[p].shape)) == 1
    ]

    def change(edit: ScriptEdit) -> None:
        if not square:
            raise CannotEditError("The cell has no square matrix.")
        after_making(
            edit, case, lambda network: "\n".join(f"{initialiser(edit, 'orthogonal_')}({network}.{p})" for p in square)
        )

    return Prescription("orthogonal start", f"Start {', '.join(square)} orthogonal.", change, choice=CHOICE)


def _gates(layers: list[LayerSeen]) -> Prescription:
    """A layer with gates in the place of a plain recurrent one: it is called in the same way."""

    def change(edit: ScriptEdit) -> None:
        for layer in layers:
            calls = edit.calls(layer.site.line, layer.kind) if layer.site is not None else []
            if not calls:
                raise CannotEditError("The recurrent layer is made in another way.")
            new = RECURRENT[layer.kind]
            if "." not in edit.code(calls[0].func):
                edit.add_import(f"from torch.nn import {new}")
            text = edit.code(calls[0].func)
            edit.replace(calls[0].func, text[: len(text) - len(layer.kind)] + new)
            edit.change(calls[0], lambda now: without_argument(now, "nonlinearity"))

    names = ", ".join(repr(x.name) for x in layers)
    told = f"Use {RECURRENT[layers[0].kind]} in place of {layers[0].kind} for {names}: its gates let gradients pass."
    return Prescription("use gates", told, change, choice=CHOICE)


def _over_layers(case: Case, model: ModelSeen) -> Iterator[Prescription]:
    squashing = hidden(case, model, SIGMOIDS | TANHS)
    weighted = weighted_layers(case, model)
    if squashing:
        swap = Prescription(
            "another activation", f"Use ReLU in place of {squashing[0].kind.lower()} in the hidden layers.",
            lambda e: exchange(e, case, model, squashing, "relu"), choice=CHOICE,
        )  # fmt: skip

        def both(edit: ScriptEdit) -> None:
            swap.edit(edit)
            he_for_all(edit, case, model)

        with_he = Prescription(
            "another activation and its initialisation",
            f"Use ReLU in place of {squashing[0].kind.lower()} in the hidden layers, and start weights by He's rule.",
            both, choice=CHOICE,
        )  # fmt: skip
        yield from (with_he, swap) if len(weighted) >= DEEP else (swap, with_he)
    yield normalised(case, model)
    if not squashing:
        yield Prescription(
            "scaled initialisation", "Draw the first weights by the rule for their activation.",
            lambda e: he_for_all(e, case, model), choice=CHOICE,
        )  # fmt: skip


def he_for_all(edit: ScriptEdit, case: Case, model: ModelSeen) -> None:
    """He's rule where the program draws weights, else before the optimizer is made."""
    found = [
        s for s in setters(case) if s.way in ("random", "constant") and not sets_bias(s) and set_by(case, model, s)
    ]
    drawn = [s for s in found if any(len(p.shape) > 1 for p in set_by(case, model, s)) and "weight" in s.name]
    for setter in drawn:
        give_rule(edit, case, model, setter, "kaiming_normal_")
    if not drawn:
        rule_for_all(edit, case, model, "kaiming_normal_")


def weighted_layers(case: Case, model: ModelSeen) -> list[LayerSeen]:
    """The layers with matrices, in the order in which they run."""
    return [x for x in case.layers(model) if x.kind in NORMED and x.parameters]


def normalised(case: Case, model: ModelSeen, choice: str = CHOICE) -> Prescription:
    """A norm behind each layer with weights but the last."""
    names = [x.name for x in weighted_layers(case, model)[:-1]]

    def change(edit: ScriptEdit) -> None:
        if not names or any("Norm" in x.kind for x in model.layers.values()):
            raise CannotEditError("There is no place for norm layers.")
        put_norms(edit, case, names)

    return Prescription("normalise", "Put batch norm between the layers.", change, choice=choice)


# ---- exploding


@prescribes("exploding-gradient")
def bound(finding: Finding, case: Case) -> Iterator[Prescription]:
    """First weights that do not stretch, where the program sets them; clipping; a lower rate."""
    model, optimizer = model_of(finding, case), most_used(case)
    yield Prescription(
        "initialise", "Start the weights so that they do not stretch what goes through them.",
        lambda e: _calm_start(e, case, model, finding.where.layer or ""), choice="initialisation",
    )  # fmt: skip
    yield clipped(case)
    rate = max((rate for _, rate in optimizer.rates), default=0.0)

    def slower(edit: ScriptEdit) -> None:
        scale_rates(edit, case, optimizer, 0.1)

    if rate > 0:
        yield Prescription(
            "lower the rate", f"Set the learning rate to {third(rate * 0.1)} in place of {rate:g}.", slower,
            choice="learning rate",
        )  # fmt: skip

    def both(edit: ScriptEdit) -> None:
        clip(edit, case, optimizer)
        scale_rates(edit, case, optimizer, 0.1)

    yield Prescription("clip and lower the rate", "Clip the norm at 1, with a tenth of the rate.", both, choice=CHOICE)


def clipped(case: Case) -> Prescription:
    """Clipping of the norm before the step."""
    optimizer = most_used(case)
    return Prescription(
        "clip",
        "Clip the norm of the gradients at 1 before each step.",
        lambda e: clip(e, case, optimizer),
        choice=CHOICE,
    )


def _calm_start(edit: ScriptEdit, case: Case, model: ModelSeen, layer: str) -> None:
    """Takes scaling out; recurrent matrices are drawn orthogonal, others by the rule for their activation.

    Raises:
        CannotEditError: the program sets none of the weights at fault.
    """
    own = [p for n, p in model.parameters.items() if n.startswith(f"{layer}.") or (layer and f".{layer}." in n)]
    large = {w.layer for w in initial_weights(case, model) if w.against_he > thresholds.LARGE_WEIGHTS}
    looped = {x.name for x in case.layers(model) if x.parameters and over_calls(case, x) is not None}
    square = [p for n, p in model.parameters.items() if n.rpartition(".")[0] in looped and len(set(p.shape)) == 1]
    bad = [p for n, p in model.parameters.items() if n.rpartition(".")[0] in large] or [*own, *square]
    found = [
        s
        for s in setters(case)
        if not sets_bias(s) and any(p is b and len(p.shape) > 1 for p in set_by(case, model, s) for b in bad)
    ]
    scaled = [s for s in found if s.way == "scaled"]
    for setter in scaled:
        take_out_setter(edit, setter)
    for setter in found if not scaled else ():
        is_square = all(len(set(p.shape)) == 1 for p in set_by(case, model, setter) if len(p.shape) == 2)
        recurrent = "hh" in setter.name or (is_square and bool(looped))
        name = "orthogonal_" if recurrent else "xavier_uniform_" if setter.way == "made" else rule(case, model)
        give_rule(edit, case, model, setter, name)
    if not found:
        raise CannotEditError("The program sets none of these weights.")
