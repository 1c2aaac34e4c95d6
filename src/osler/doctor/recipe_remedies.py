"""What mends a fault in a recipe of ours: words for its keys, the likeliest first."""

from collections.abc import Mapping
from typing import Any

AUTO = "auto"
_INITIALISATION = (("model.initialisation", AUTO),)
_SLOWER = (("train.lr", AUTO), ("train.lr", 0.1), ("train.clip_norm", "1.0"))
_FASTER = (("train.lr", AUTO), ("train.lr", 10.0))

# fault: (key, value); a number for train.lr multiplies it
REMEDIES: dict[str, tuple[tuple[str, str | float], ...]] = {
    "input-not-scaled": (("model.standardise", AUTO),),
    "input-scaled-twice": (("model.standardise", AUTO),),
    "zero-init": _INITIALISATION,
    "init-too-large": _INITIALISATION,
    "init-too-small": _INITIALISATION,
    "learning-rate-too-high": _SLOWER,
    "non-finite-loss": _SLOWER,
    "diverging-loss": _SLOWER,
    "exploding-gradient": _SLOWER,
    "oscillating-loss": _SLOWER,
    "dead-relu": _SLOWER,
    "plateau": _SLOWER,
    "constant-prediction": _SLOWER,
    "learning-rate-too-low": _FASTER,
    "weight-decay-too-high": (("train.weight_decay", AUTO),),
    "clipping-too-strong": (("train.clip_norm", "0.0"),),
    "not-shuffled": (("data.sampler", "shuffle"),),
    "class-imbalance": (("task.class_weights", "balanced"),),
    "small-batch-norm": (("train.batch_size", AUTO),),
    "batch-too-small": (("train.batch_size", AUTO),),
    "scheduler-misused": (("train.schedule", "cosine"),),
    "frozen-parameters": (("finetune.freeze", "none"),),
    "overfitting": (("data.augment.preset", AUTO), ("train.weight_decay", AUTO)),
    "low-precision-overflow": (("train.precision", "float32"),),
}


def next_change(fault: str, values: Mapping[str, Any], tried: set[tuple[str, str]]) -> tuple[str, str] | None:
    """The next word that may mend a fault and was not tried: its key and value; None where no key of a recipe can.

    Args:
        fault: the fault's name.
        values: the recipe's resolved values by key.
        tried: words that were taken already.
    """
    for key, value in REMEDIES.get(fault, ()):
        word = f"{float(values[key]) * value:.3g}" if isinstance(value, float) else value
        if (key, word) not in tried and word != str(values.get(key)):
            return key, word
    return None
