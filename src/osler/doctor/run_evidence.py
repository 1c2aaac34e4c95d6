"""The evidence that a finished run kept: its losses by update and its validations by epoch, for what can be told of curves."""

import math
from collections.abc import Sequence

from osler.training.store import Store
from osler.vitals.evidence import Answers, Backward, Evidence, ModelSeen, OptimizerSeen, ParameterSeen, Summary


def evidence_of(store: Store, name: str) -> Evidence:
    """What a run's records tell. Layers, gradients and data are not among it: those checks are skipped, and named.

    Args:
        store: the run's records.
        name: what the run is called in the diagnosis.
    """
    evidence = Evidence(script=name)
    backward = Backward(None)
    names = [n for n in store.update_names() if "loss" in n]
    if names:
        steps, losses = store.updates(names[0])
        backward.values = [(step - 1, loss) for step, loss in zip(steps, losses, strict=True)]
        backward.calls = len(backward.values)
    evidence.backwards.append(backward)
    evidence.steps = backward.calls
    evidence.optimizers.append(OptimizerSeen("optimizer", None, [], steps=backward.calls))
    evidence.models.append(_model(store.epochs(), max(1, backward.calls)))
    return evidence


def _model(epochs: Sequence[dict[str, float]], steps: int) -> ModelSeen:
    model = ModelSeen("model", "network", None)
    nothing = Summary((), "float32", math.nan, math.nan, math.nan, math.nan, math.nan, 0)
    model.parameters["weights"] = _held(nothing)
    model.call_counts["train"] = steps
    for number, epoch in enumerate(epochs, 1):
        loss = next((v for k, v in epoch.items() if k.startswith("validation") and k.endswith("loss")), math.nan)
        answers = Answers(round(steps * number / len(epochs)))
        if math.isfinite(loss):
            answers.losses.append(loss)
        model.answers.append(answers)
    return model


def _held(nothing: Summary) -> ParameterSeen:
    import numpy as np

    seen = ParameterSeen((), "", True, nothing, np.zeros(0), math.nan)
    seen.optimizers.append(0)
    return seen
