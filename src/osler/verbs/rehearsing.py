"""Short runs that keep nothing: `--try` (does it all work?) and `--overfit N` (can it learn at all?)."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from osler.data.selecting import few, same_for_both
from osler.training.estimator_stage import FitsEstimators
from osler.training.loop import fit
from osler.training.observer import Epoch, Observer
from osler.training.state import Training
from osler.verbs.announcing import console_for
from osler.verbs.preparing import Prepared, Wishes, prepare
from osler.verbs.train import after_the_network, new_folder, watched

ONE_BATCH = 16
UPDATES_TO_LEARN = 300  # a network that learns at all knows a few pictures by heart long before


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """That one batch went through every stage, and how it came out."""

    seconds: float
    metrics: dict[str, float]
    stages: tuple[str, ...]


def try_run(wishes: Wishes) -> Rehearsal:
    """One small batch through training, validation, checkpoint, estimator, test and report, in a folder that is removed.

    Raises:
        OslerError: what a whole run would have raised, only sooner.
    """
    began = time.perf_counter()
    short = _with(wishes, {"train.epochs": 1, "train.workers": 0})
    neighbours = short.resolved().recipe.estimator.options.get("n_neighbors", 0)
    count = max(ONE_BATCH, neighbours if isinstance(neighbours, int) else 0)  # so many pictures it must have learnt
    prepared = prepare(short, lambda source: few(source, count))
    with tempfile.TemporaryDirectory(prefix="osler-try-") as place:
        folder = new_folder(prepared, Path(place) / "run")
        with watched(prepared, folder, (), console_for(True)) as watchers:
            fit(prepared.training, watchers)
        facts = after_the_network(prepared, folder, time.perf_counter() - began)
    there = {
        "validation": len(prepared.source.validation) > 0,
        "estimator": short.resolved().recipe.estimator.name != "none"
        or isinstance(prepared.training.model, FitsEstimators),
        "test": prepared.source.test is not None and len(prepared.source.test) > 0,
    }
    stages = ("data", "training", "validation", "checkpoint", "estimator", "test", "report")
    return Rehearsal(time.perf_counter() - began, facts, tuple(s for s in stages if there.get(s, True)))


@dataclass(frozen=True, slots=True)
class Overfit:
    """Whether a network learned a few samples by heart."""

    learned: bool
    samples: int
    updates: int
    first_loss: float
    last_loss: float
    score: float  # of the task's metric, on the same samples
    metric: str
    verdict: str


class _UntilLearned(Observer):
    """Keeps the losses, and asks to stop when the samples are known."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.score = float("nan")

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        self.losses.append(sum(epoch.train.values()))
        self.score = epoch.validation[training.task.monitor]
        if known_by_heart(training, self.score, self.losses):
            training.stop = "learned"


def known_by_heart(training: Training, score: float, losses: list[float]) -> bool:
    """Every sample right and the loss a tenth of what it was; for numbers, the loss a hundredth."""
    if training.task.direction == "max":
        return score >= 1 - 1e-9 and losses[-1] < 0.1 * losses[0]
    return losses[-1] < 0.01 * losses[0]


def overfit(wishes: Wishes, samples: int) -> Overfit:
    """Trains on a few samples until they are known by heart, without augmentation and regularisation; nothing is kept.

    A network that cannot do this has a fault that no amount of data will mend: in its labels, its loss, its learning rate, its
    gradients.
    """
    plain = {
        "data.augment.preset": "none",
        "data.augment.transforms": [],
        "data.augment.mixup": 0.0,
        "data.augment.cutmix": 0.0,
        "data.augment.pca_noise": 0.0,
        "task.label_smoothing": 0.0,
        "train.weight_decay": 0.0,
        "train.l1": 0.0,
        "train.ema": 0.0,
        "train.patience": 0,
        "train.schedule": "constant",
        "train.schedule_options": {},
        "train.warmup": 0.0,
        "train.workers": 0,
    }
    prepared = prepare(_with(wishes, plain), lambda source: same_for_both(source, samples))
    training = prepared.training
    per_epoch = -(-len(training.train_loader) // training.recipe.recipe.train.accumulate)
    training.recipe = training.recipe.choose(
        "train.epochs", -(-UPDATES_TO_LEARN // per_epoch), "enough to learn a few samples"
    )
    watcher = _UntilLearned()
    fit(training, [watcher])
    return _judged(prepared, watcher)


def _judged(prepared: Prepared, watcher: _UntilLearned) -> Overfit:
    training = prepared.training
    learned = known_by_heart(training, watcher.score, watcher.losses)
    count, updates = len(prepared.source.train), training.position.update
    first, last = watcher.losses[0], watcher.losses[-1]
    if learned:
        verdict = f"It learned {count} samples by heart in {updates} updates: data, loss and gradients work together."
    elif last > 0.9 * first:
        verdict = f"It learned nothing in {updates} updates (loss {first:.3g} to {last:.3g})."
        verdict += " Look at the labels, the loss and the learning rate."
    else:
        verdict = f"It learns, but {updates} updates were not enough (loss {first:.3g} to {last:.3g})."
        verdict += " Try a higher learning rate."
    return Overfit(learned, count, updates, first, last, watcher.score, training.task.monitor, verdict)


def _with(wishes: Wishes, values: dict[str, Any]) -> Wishes:
    """Wishes with some values over them."""
    return replace(wishes, last=tuple(f"{k}={v}" for k, v in values.items()))
