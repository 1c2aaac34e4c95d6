"""What mends a fault in a recipe of ours: words for its keys, the likeliest first."""

from collections.abc import Iterator, Mapping
from typing import Any

from osler.training.recipe import Origin

AUTO = "auto"  # Osler's own choice in the place of the person's
Word = tuple[str, str | float]  # a key and its value; a number multiplies a rate

_INITIALISATION: tuple[Word, ...] = (("model.initialisation", AUTO),)
_SCALED: tuple[Word, ...] = (("model.standardise", AUTO),)
_SLOWER: tuple[Word, ...] = (("train.lr", AUTO), ("train.lr", 0.1), ("train.clip_norm", "1.0"))
# What holds updates back, each left out where it is not set.
_UNHELD: tuple[Word, ...] = (
    ("train.clip_norm", "0.0"),
    ("train.clip_value", "0.0"),
    ("train.weight_decay", AUTO),
    ("train.l1", "0.0"),
)
_FASTER: tuple[Word, ...] = (("train.lr", AUTO), *_UNHELD, ("train.lr", 10.0))
_STUCK: tuple[Word, ...] = (
    *_INITIALISATION,
    ("train.lr", AUTO),
    *_SCALED,
    *_UNHELD,
    ("train.lr", 0.1),
    ("train.lr", 10.0),
)

REMEDIES: dict[str, tuple[Word, ...]] = {
    "input-not-scaled": _SCALED,
    "input-scaled-twice": _SCALED,
    "zero-init": _INITIALISATION,
    "init-too-large": (*_INITIALISATION, *_SCALED),
    "init-too-small": (*_INITIALISATION, *_SCALED),
    "vanishing-gradient": (*_INITIALISATION, *_SCALED),
    "saturated-activation": (*_INITIALISATION, *_SCALED, ("train.lr", AUTO)),
    "exploding-gradient": (*_INITIALISATION, *_SCALED, *_SLOWER),
    "learning-rate-too-high": _SLOWER,
    "non-finite-loss": (*_SLOWER[:1], *_SCALED, *_INITIALISATION, *_SLOWER[1:]),
    "diverging-loss": (*_SLOWER[:1], *_SCALED, *_INITIALISATION, *_SLOWER[1:]),
    "oscillating-loss": _SLOWER,
    "dead-relu": (*_INITIALISATION, *_SLOWER[:2], *_SCALED),
    "plateau": _STUCK,
    "constant-prediction": _STUCK,
    "underfitting": (*_STUCK, ("data.augment.preset", AUTO)),
    "no-update": (("train.lr", AUTO), ("finetune.freeze", "none")),
    "learning-rate-too-low": _FASTER,
    "weight-decay-too-high": (("train.weight_decay", AUTO), ("train.l1", "0.0")),
    "clipping-too-strong": (("train.clip_norm", "0.0"), ("train.clip_value", "0.0")),
    "not-shuffled": (("data.sampler", "shuffle"),),
    "class-imbalance": (("task.class_weights", "balanced"),),
    "precision-recall-imbalance": (("task.class_weights", "balanced"),),
    "small-batch-norm": (("train.batch_size", AUTO),),
    "batch-too-small": (("train.batch_size", AUTO),),
    "batch-too-large": (("train.batch_size", AUTO), ("train.accumulate", "1")),
    "scheduler-misused": (("train.schedule", "cosine"),),
    "frozen-parameters": (("finetune.freeze", "none"),),
    "frozen-norm-statistics": (("finetune.freeze_norm", "false"),),
    "wrong-loss": (("task.loss", AUTO),),
    "overfitting": (("data.augment.preset", AUTO), ("train.weight_decay", AUTO)),
    "low-precision-overflow": (("train.precision", "float32"),),
}


def changes(fault: str, rows: Mapping[str, tuple[Any, Origin]]) -> Iterator[tuple[str, str]]:
    """The words that may mend a fault, the likeliest first: a key and its value. None where no key of a recipe can.

    A word that would change nothing is left out: the value that stands there, and `auto` where Osler chose already.

    Args:
        fault: the fault's name.
        rows: the recipe's resolved values and their origins by key.
    """
    for key, value in REMEDIES.get(fault, ()):
        if value == AUTO:
            if _set(key, rows):
                yield key, AUTO
            continue
        if key not in rows:
            continue
        now = rows[key][0]
        word = f"{float(now) * value:.3g}" if isinstance(value, float) else value
        if word != _plain(now):
            yield key, word


def _set(key: str, rows: Mapping[str, tuple[Any, Origin]]) -> bool:
    """Whether a person set the key, or one below it."""
    return any(
        origin.who == "person" and value != AUTO
        for name, (value, origin) in rows.items()
        if name == key or name.startswith(f"{key}.")
    )


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
