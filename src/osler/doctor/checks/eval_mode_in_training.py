"""Training steps are made in evaluation mode: dropout and batch statistics are off while the network learns."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.modes import changing_layers, is_norm, mode_call, multiple_passes
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import ModelSeen

FAULT = Fault(
    name="eval-mode-in-training",
    category="evaluation",
    phase="during",
    title="Training runs in evaluation mode",
    symptom="Dropout does nothing and batch normalisation keeps its first statistics; often from the second epoch on.",
    cause=(
        "`model.eval()` holds until `model.train()` is called. After an evaluation the network stays in evaluation "
        "mode, "
        "so that dropout no longer regularises, and batch normalisation neither uses nor updates the statistics of the "
        "batches: the network overfits, or learns against statistics that have nothing to do with its data."
    ),
    seen_by=(
        "calls from which gradients led to an update while the network, with dropout or batch normalisation in it, "
        "was in evaluation mode"
    ),
    remedies=(
        Remedy("call train()", "Call `model.train()` at the beginning of every epoch, before the training steps."),
        Remedy(
            "give the mode back", "Let the evaluation function put the network back into the mode in which it found it."
        ),
    ),
    sources=(
        "PyTorch documentation, Module.train and Module.eval",
        "PyTorch Lightning warns of modules left in evaluation mode when a fit begins",
    ),
)


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Counts the updates that were made from calls in evaluation mode."""
    for model in case.models:
        layers = changing_layers(case, model)
        wrong, seen = _wrong_steps(case, model)
        share = wrong / seen if seen else 0.0
        if not layers or wrong < thresholds.WRONG_MODE_STEPS or share < thresholds.WRONG_MODE_SHARE:
            continue
        norms_only = all(is_norm(model, name) for name in layers)
        if norms_only and (model.loaded or _norms_frozen(model, layers)):
            yield from _on_purpose(case, model, layers, share)
            continue
        call = mode_call(case, "eval", model)
        yield FAULT.found(
            f"{wrong:,} of {seen:,} training steps looked at were made while {model.name} was in evaluation mode, so "
            f"that "
            f"{_names(layers)} {'were' if len(layers) > 1 else 'was'} not at work; the mode is set by the call of "
            f"eval() and "
            f"never set back before these steps",
            where=case.line(call, layers[0]) if call else case.where(None, layers[0]),
            certainty=0.96,
            change=f"Call `{_variable(model)}.train()` at the beginning of every epoch, before the training steps.",
        )


def _wrong_steps(case: Case, model: ModelSeen) -> tuple[int, int]:
    """Updates of those looked at that were made from calls in evaluation mode alone, and all looked at."""
    modes: dict[int, set[bool]] = {}
    for call in model.calls:
        if call.moment == "train" and call.step <= case.evidence.steps:
            modes.setdefault(call.step, set()).add(call.training)
    if not model.call_counts["train:wrong mode"] or multiple_passes(model, "train"):
        return 0, len(modes)
    return sum(seen == {False} for seen in modes.values()), len(modes)


def _norms_frozen(model: ModelSeen, layers: list[str]) -> bool:
    names = [name for layer in layers if layer in model.layers for name in model.layers[layer].parameters]
    return bool(names) and not any(model.parameters[n].requires_grad for n in names if n in model.parameters)


def _on_purpose(case: Case, model: ModelSeen, layers: list[str], share: float) -> Iterator[Finding]:
    yield FAULT.found(
        f"{share:.0%} of the training steps were made with {model.name} in evaluation mode; its weights were loaded "
        f"or its "
        "norm layers are frozen, so this may be meant",
        severity="note",
        where=case.where(None, layers[0]),
        certainty=0.4,
    )


def _names(layers: list[str]) -> str:
    return ", ".join(layers[:3]) + (f" and {len(layers) - 3} more" if len(layers) > 3 else "")


def _variable(model: ModelSeen) -> str:
    return model.name if model.name.isidentifier() else "model"
