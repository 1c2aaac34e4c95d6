"""As long a training as the network needs, and no longer; more or less that holds it back."""

from collections.abc import Iterator

import numpy as np

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.layer_places import DROPOUTS
from osler.doctor.mending.length_edit import scale_length
from osler.doctor.mending.number_edit import set_setting
from osler.doctor.mending.prescription import Edit, Prescription, prescribes
from osler.doctor.mending.rate_edit import most_used, scale_rates
from osler.doctor.mending.script_edit import ScriptEdit
from osler.doctor.performance import evaluation_loss
from osler.doctor.training_loop import epochs_line
from osler.doctor.update_sizes import is_adaptive
from osler.structures.finding import Finding
from osler.vitals.evidence import LayerSeen

CHOICE = "length of the training"
ENOUGH = 3000  # updates of a small network
MOST, LEAST = 100.0, 4.0
DECAY = {"AdamW": "0.05", "SGD": "0.001"}
HALF = "0.5"


# ---- longer


@prescribes("undertrained")
def longer(finding: Finding, case: Case) -> Iterator[Prescription]:
    """As many epochs as make some thousand updates; else a larger rate; else four times as many."""
    factor = min(MOST, max(LEAST, ENOUGH / max(1, case.evidence.steps)))
    yield _of_length(case, factor, "train longer")

    def faster(edit: ScriptEdit) -> None:
        scale_rates(edit, case, most_used(case), 10.0)

    yield Prescription("make larger steps", "Raise the learning rate ten times.", faster, choice="learning rate")
    if factor > LEAST:
        yield _of_length(case, LEAST, "train longer")


def _of_length(case: Case, factor: float, remedy: str) -> Prescription:
    before, after = scale_length(ScriptEdit(case.evidence.source), case, factor)

    def change(edit: ScriptEdit) -> None:
        scale_length(edit, case, factor)

    where = f"at line {epochs_line(case)}" if epochs_line(case) else "in the loop over epochs"
    return Prescription(remedy, f"Set {where} {after:,} in place of {before:,}.", change, choice=CHOICE)


# ---- shorter, and held back more


@prescribes("overfitting")
def shorter(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Up to where held-out samples were answered best; dropout that is switched off put to work; weight decay."""
    share = _best_share(case)
    idle = [
        x
        for m in case.models
        for x in m.layers.values()
        if x.kind in DROPOUTS and x.options.get("p") == 0 and x.site is not None
    ]
    offers: list[tuple[str, str, Edit]] = []
    if share is not None and share < 0.8:
        told = f"Stop after about {share:.0%} of the training, where the validation loss was lowest."
        offers.append(("stop earlier", told, lambda edit: _shorten(edit, case, share)))
    if idle:
        told = f"Give {idle[0].name} and its like a rate of {HALF}, in place of 0."
        offers.append(("regularise", told, lambda edit: _drop(edit, case, idle)))
    if share is not None and share < 0.8 and idle:
        told = f"Stop after about {share:.0%} of the training, and give {idle[0].name} and its like a rate of {HALF}."
        offers.insert(0, ("regularise", told, lambda edit: _both(edit, case, max(share, 0.25), idle)))
    for remedy, text, change in offers:
        yield Prescription(remedy, text, change, choice=CHOICE)
    optimizer = most_used(case)
    kind = optimizer.kind
    if not any(group.get("weight_decay") for group in optimizer.options) and kind in ("Adam", "AdamW", "SGD"):
        value = DECAY.get(kind, "0.001")

        def decay(edit: ScriptEdit) -> None:
            set_setting(edit, case.script, optimizer.site, (kind,), "weight_decay", None, value)

        yield Prescription("regularise", f"Give {kind} weight_decay={value}.", decay, choice="weight decay")


def _best_share(case: Case) -> float | None:
    """The share of the training after which the validation loss was lowest."""
    seen = evaluation_loss(case, case.models[0])
    if seen is None or len(seen.values) < thresholds.PASSES_LEAST or not case.evidence.steps:
        return None
    return float(seen.steps[int(np.argmin(seen.values))]) / case.evidence.steps


def _both(edit: ScriptEdit, case: Case, share: float, idle: list[LayerSeen]) -> None:
    _shorten(edit, case, share)
    _drop(edit, case, idle)


def _shorten(edit: ScriptEdit, case: Case, share: float) -> None:
    scale_length(edit, case, max(share, 1e-3))


def _drop(edit: ScriptEdit, case: Case, idle: list[LayerSeen]) -> None:
    done: set[int] = set()
    for layer in idle:
        line = layer.site.line if layer.site is not None else 0
        if line in done:
            continue
        done.add(line)
        set_setting(edit, case.script, layer.site, (layer.kind,), "p", 0, HALF)


# ---- held back less


@prescribes("underfitting")
def freer(finding: Finding, case: Case) -> Iterator[Prescription]:
    """Without weight decay, without dropout, with a larger rate."""
    optimizer = most_used(case)
    if any(group.get("weight_decay") for group in optimizer.options):

        def plain(edit: ScriptEdit) -> None:
            set_setting(edit, case.script, optimizer.site, (optimizer.kind,), "weight_decay", None, "0")

        yield Prescription("hold it back less", "Set weight_decay to 0.", plain)
    high = [
        x for m in case.models for x in m.layers.values()
        if x.kind in DROPOUTS and x.site is not None and isinstance(x.options.get("p"), float) and x.options["p"] > 0.2
    ]  # fmt: skip
    if high:

        def undropped(edit: ScriptEdit) -> None:
            for site, kind in dict.fromkeys((x.site, x.kind) for x in high):
                place = 1 if kind[0].islower() else 0
                set_setting(edit, case.script, site, (kind,), "p", place, "0.0")

        yield Prescription(
            "hold it back less", f"Set the dropout rate of {high[0].name} to 0.", undropped, choice="dropout"
        )

    def faster(edit: ScriptEdit) -> None:
        scale_rates(edit, case, optimizer, 3.0 if is_adaptive(optimizer) else 10.0)

    yield Prescription("hold it back less", "Raise the learning rate.", faster, choice="learning rate")
