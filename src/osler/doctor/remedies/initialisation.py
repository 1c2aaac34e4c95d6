"""First weights by He's or Glorot's rule, or PyTorch's own, in the place of constants, of too large and of too small ones."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.initial_weights import initial_weights
from osler.doctor.mending.initial_edit import give_rule, rule, rule_for_all, take_out_setters
from osler.doctor.mending.initial_setters import Setter, concerns_norms, not_for_weights, set_by, sets_bias, setters
from osler.doctor.mending.prescription import Prescription, prescribes
from osler.doctor.mending.script_edit import CannotEditError, ScriptEdit
from osler.structures.finding import Finding
from osler.vitals.evidence import ModelSeen, ParameterSeen

CHOICE = "initialisation"
SOUND = ("xavier", "kaiming", "orthogonal", "trunc_normal")
TORCHS = ("Linear", "Conv1d", "Conv2d", "Conv3d", "RNN", "GRU", "LSTM")
RULES = {"kaiming_normal_": "He's", "xavier_uniform_": "Glorot's"}


@prescribes("zero-init")
def break_symmetry(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Random weights where the program sets constants."""
    model = _model(case, finding)
    alike = [
        p
        for p in model.parameters.values()
        if len(p.shape) > 1 and (p.start.low == p.start.high or p.start_row_spread == 0)
    ]
    yield from _prescriptions(case, model, alike, ("constant", "made", "random", "scaled"))


@prescribes("init-too-large")
def smaller(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Weights that fit the fan-in where the program draws or scales them too large."""
    model = _model(case, finding)
    layers = {w.layer for w in initial_weights(case, model) if w.against_he > thresholds.LARGE_WEIGHTS}
    yield from _prescriptions(
        case, model, _of_layers(model, layers), ("random", "scaled", "made", "constant"), biases=True
    )


@prescribes("init-too-small")
def larger(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Weights that fit the fan-in where the program draws or scales them too small."""
    model = _model(case, finding)
    layers = {w.layer for w in initial_weights(case, model) if w.against_he < thresholds.SMALL_WEIGHTS}
    yield from _prescriptions(case, model, _of_layers(model, layers), ("random", "scaled", "made", "constant"))


def _model(case: Case, finding: Finding) -> ModelSeen:
    models = case.models
    return next((m for m in models if finding.where.layer in m.layers), models[0])


def _of_layers(model: ModelSeen, layers: set[str]) -> list[ParameterSeen]:
    return [p for n, p in model.parameters.items() if len(p.shape) > 1 and n.rpartition(".")[0] in layers]


def _prescriptions(
    case: Case, model: ModelSeen, bad: list[ParameterSeen], ways: tuple[str, ...], *, biases: bool = False
) -> Iterator[Prescription]:
    name = rule(case, model)

    def by_rule(edit: ScriptEdit) -> None:
        for setter in _at_fault(edit, case, model, bad, ways):
            give_rule(edit, case, model, setter, "xavier_uniform_" if setter.way == "made" else name)
        for setter in _wild_biases(case) if biases else ():
            give_rule(edit, case, model, setter, "zeros_")

    def torchs_own(edit: ScriptEdit) -> None:
        wild = _wild_biases(case) if biases else []
        take_out_setters(edit, [*_at_fault(edit, case, model, bad, ways), *wild])

    own = all(not any(x.kind in TORCHS for x in model.layers.values() if p.layer == x.name) for p in bad)
    told = RULES["xavier_uniform_" if own else name]
    yield Prescription("scaled initialisation", f"Draw the first weights by {told} rule.", by_rule, choice=CHOICE)
    yield Prescription("leave PyTorch's", "Leave the first weights as PyTorch draws them.", torchs_own, choice=CHOICE)
    yield Prescription(
        "initialise anew",
        f"Draw the weights of all layers by {RULES[name]} rule before the optimizer is made.",
        lambda e: rule_for_all(e, case, model, name),
        choice=CHOICE,
    )


def _at_fault(
    edit: ScriptEdit, case: Case, model: ModelSeen, bad: list[ParameterSeen], ways: tuple[str, ...]
) -> list[Setter]:
    """The setters that may set any of the weights at fault, biases and norm layers left out.

    Raises:
        CannotEditError: there are none.
    """
    found = [
        s
        for s in setters(case)
        if s.way in ways
        and not sets_bias(s)
        and not not_for_weights(case, s)
        and not concerns_norms(case, s)
        and any(p is b for p in set_by(case, model, s) for b in bad)
        and _is_about_weights(s)
    ]
    scaled = [s for s in found if s.way == "scaled"]
    sound = [s for s in found if any(word in edit.code(edit.statement(s.line)) for word in SOUND)]
    if scaled and len(sound) + len(scaled) == len(found):
        return scaled  # a sound start that is scaled afterwards
    if not found:
        raise CannotEditError("No line sets these weights.")
    return found


def _is_about_weights(setter: Setter) -> bool:
    """Whether what is set looks like weights: an attribute called so, or a short name as loops over parameters have."""
    last = setter.name.rpartition(".")[2]
    in_constructor = setter.way == "made"
    looped = last in ("p", "param", "params", "parameter", "w", "W", "weights", "t", "v", "value", "tensor", "par", "q")
    return in_constructor or looped or "weight" in last or "." in setter.name or last.lower().startswith("w")


def _wild_biases(case: Case) -> list[Setter]:
    """Biases that are drawn at random."""
    return [s for s in setters(case) if s.way == "random" and sets_bias(s) and not concerns_norms(case, s)]
