"""Dropout takes away most of the signal."""

from collections.abc import Iterator

from osler.doctor import thresholds
from osler.doctor.case import Case
from osler.doctor.fault import Fault, check
from osler.doctor.layer_places import DROPOUTS
from osler.doctor.outcomes import best_learnt
from osler.structures.finding import Finding, Remedy
from osler.vitals.evidence import LayerSeen

FAULT = Fault(
    name="dropout-too-high",
    category="model",
    phase="during",
    title="Dropout rate is too high",
    symptom=(
        "The training loss stays high and noisy; with dropout switched off the same network is much better, or has learnt "
        "little."
    ),
    cause=(
        "Of n units only n(1 - p) take part in each step. Near p = 1 the layers behind see hardly anything of the input, the "
        "few units that are kept are enlarged by 1/(1 - p), and gradients are mostly noise. Often a rate to keep was "
        "given where PyTorch wants the rate to drop."
    ),
    seen_by=(
        f"a rate of {thresholds.DROPOUT_RATE:g} or more; or of {thresholds.DROPOUT_DOUBTFUL:g} or more where the loss in training "
        f"fell by less than {thresholds.LEARNT_LITTLE:.0%} of what it could"
    ),
    remedies=(
        Remedy("lower the rate", "Use 0.2 to 0.5 for hidden layers, 0.1 to 0.2 for inputs and convolutions."),
        Remedy("remove the dropout", "Leave it out until the network fits its training data."),
    ),
    sources=(
        "Srivastava et al. 2014, section A.4: hidden units are kept with 0.5 to 0.8, inputs with 0.8",
        "UMLAUT (Schoop, Huang, Hartmann 2021) warns above 0.5; StackOverflow cases of 0.8",
    ),
)

RECURRENT = ("LSTM", "GRU", "RNN")


@check(FAULT)
def look(case: Case) -> Iterator[Finding]:
    """Looks at the rates of all dropout layers and functions that ran."""
    learnt = best_learnt(case)
    for model in case.models:
        for layer in case.layers(model):
            rate = _rate(layer)
            if rate is None or rate < thresholds.DROPOUT_DOUBTFUL or layer.training is False:
                continue
            poor = learnt is not None and learnt < thresholds.LEARNT_LITTLE
            told = f"; the training loss fell by {max(0.0, learnt):.0%} of what it could" if learnt is not None else ""
            name = layer.name.partition(" (line")[0]
            sure = rate >= thresholds.DROPOUT_RATE
            kept = f", {layer.units * (1 - rate):.3g} of {layer.units} units," if layer.units else ""
            yield FAULT.found(
                f"{name} drops {rate:.0%} of what it is given: {1 - rate:.0%}{kept} get through in each step{told}",
                severity="critical" if sure and poor else "warning" if sure or poor else "note",
                where=case.where(layer.site, layer.name),
                certainty=0.92 if sure else 0.75 if poor else 0.5,
                change=f"Lower the rate of {name} to 0.5 or less.",
            )


def _rate(layer: LayerSeen) -> float | None:
    if layer.kind in DROPOUTS:
        rate = layer.options.get("p")
    elif layer.kind in RECURRENT and layer.options.get("num_layers", 1) > 1:
        rate = layer.options.get("dropout")
    else:
        rate = layer.options.get("dropout") if layer.kind == "MultiheadAttention" else None
    return float(rate) if isinstance(rate, (int, float)) else None
