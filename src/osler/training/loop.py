"""The loop: batches to steps, steps to updates, epochs to validation. It knows no task and names no observer.

Per update: the task yields steps; a step's closure gives named losses; backward; clip; the optimiser and its schedule step.
Several batches make one update under accumulation, each weighted by its share of the pictures.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from osler.data.loader import Loader
from osler.structures.batch import Batch
from osler.tasks.task import Outcome, Step
from osler.training.clipping import clip_gradients
from osler.training.evaluation import evaluate
from osler.training.memory import is_out_of_memory
from osler.training.not_finite import explain_not_finite
from osler.training.observer import Epoch, Observers, Updates
from osler.training.proximal import soft_threshold
from osler.training.state import Group, Training

READ_EVERY = 50  # updates between reads of the losses from the device: often enough to watch, seldom enough not to wait


def fit(training: Training, observers: Observers) -> None:
    """Runs epochs from where the training stands until it is finished or something asks to stop.

    Raises:
        NotFiniteError: a loss is NaN or infinite; the weights are those before the update.
        TrainingError: memory ran out and the batch cannot be halved.
    """
    for observer in observers:
        observer.started(training)
    while not training.finished:
        started = time.perf_counter()
        _epoch(training, observers)
        if training.stop:
            break
        _finish_epoch(training, observers, time.perf_counter() - started)
    for observer in observers:
        if training.position.batch:  # in the middle of an epoch
            observer.checkpoint_due(training)
    for observer in observers:
        observer.stopped(training)


def _epoch(training: Training, observers: Observers) -> None:
    """The rest of the current epoch; again from where it stood, with half the batch, when memory runs out."""
    training.model.train()
    if training.freezing is not None:
        training.freezing.apply(training.model, training.position.epoch)
    while True:
        try:
            for window in _windows(training):
                _update(training, window, observers)
                if training.stop:
                    break
            _read_losses(training, observers)
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error)
        training.halve_batch(failure)
        for observer in observers:
            observer.batch_halved(training)


def _windows(training: Training) -> Iterator[list[Batch]]:
    """The batches of each update: as many as are accumulated, fewer at the end of the epoch."""
    accumulate = training.recipe.recipe.train.accumulate
    window: list[Batch] = []
    for batch in training.train_loader.epoch(training.position.epoch, training.position.batch):
        window.append(batch)
        if len(window) == accumulate:
            yield window
            window = []
    if window:
        yield window


def _update(training: Training, window: list[Batch], observers: Observers) -> None:
    """The steps of one window of batches: for each step of the task, one update of that step's group of parameters."""
    engine = training.engine
    batches = [_augmented(training, batch, training.position.batch + i) for i, batch in enumerate(window)]
    samples = sum(map(len, batches))
    sums: dict[str, Tensor] = {}
    for steps in zip(*(training.task.steps(training.model, b) for b in batches), strict=True):
        group = training.groups[steps[0].group]
        seen: dict[str, Tensor] = {}

        def gradients(steps=steps, group=group, seen=seen) -> Tensor:  # type: ignore[no-untyped-def]
            """Forward and backward of every batch of the window. An optimiser such as L-BFGS asks for it several times."""
            group.optimizer.zero_grad(set_to_none=True)
            now: dict[str, Tensor] = {}
            for step, batch in zip(steps, batches, strict=True):
                with engine.autocast():
                    losses = step.losses()
                _add(now, losses, len(batch) / samples)
                loss = _total(losses)
                _check_finite(training, step, loss)
                engine.backward(loss if len(batch) == samples else loss * (len(batch) / samples))
            _finish_gradients(training, group)
            if not seen:
                seen.update(now)
            return _total(now)

        with _only(training, group):
            group.schedule.step(training.position.update)
            if engine.scaler is None:
                group.optimizer.step(gradients)  # type: ignore[arg-type]  # torch annotates a float, and takes the tensor
            else:
                gradients()
                engine.scaler.step(group.optimizer)
                engine.scaler.update()
        if training.recipe.recipe.train.l1:
            soft_threshold(group.optimizer, training.recipe.recipe.train.l1)
        sums.update(seen)
    _count(training, len(window), samples, sums, observers)


def _total(losses: dict[str, Tensor]) -> Tensor:
    """The sum of named losses: what is minimised."""
    first, *others = losses.values()
    return sum(others, first)


def _add(sums: dict[str, Tensor], losses: dict[str, Tensor], share: float) -> None:
    """Adds a batch's share of the losses, without their history."""
    for name, value in losses.items():
        value = value.detach() if share == 1 else value.detach() * share
        sums[name] = sums[name] + value if name in sums else value


def _count(training: Training, batches: int, samples: int, sums: dict[str, Tensor], observers: Observers) -> None:
    """After an update: the position, the moving average, the observers."""
    position = training.position
    if training.average is not None:
        training.average.update(training.model)
    position.batch += batches
    position.update += 1
    position.samples += samples
    training.unread.append((samples, sums))
    for observer in observers:
        observer.batch_done(training)
    every = training.recipe.recipe.train.checkpoint_every
    due = every and position.update % every == 0
    if due or len(training.unread) == READ_EVERY:
        _read_losses(training, observers)
    if due:
        for observer in observers:
            observer.checkpoint_due(training)
    if training.engine.world == 1 or not training.unread:  # several processes agree when they talk anyway
        training.heed()


def _augmented(training: Training, batch: Batch, number: int) -> Batch:
    """A batch on the device, standardised, mixed and coloured by its place in the run."""
    batch = training.prepare(batch)
    if training.batch_transforms:
        generator = training.generator(number)
        for transform in training.batch_transforms:
            batch = transform(batch, generator)
    return batch


def _finish_gradients(training: Training, group: Group) -> None:
    """Between backward and the optimiser: agree among processes, unscale, clip."""
    section = training.recipe.recipe.train
    training.engine.average_gradients(group.parameters)
    if training.engine.scaler is not None:
        training.engine.scaler.unscale_(group.optimizer)
    if section.clip_norm or section.clip_value:
        training.gradient_norm = clip_gradients(group.parameters, norm=section.clip_norm, value=section.clip_value)


@contextmanager
def _only(training: Training, group: Group) -> Iterator[None]:
    """While a group is updated, the parameters of the others want no gradient: a generator's step leaves none in its critic."""
    others = [p for g in training.groups.values() if g is not group for p in g.parameters if p.requires_grad]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)


def _check_finite(training: Training, step: Step, loss: Tensor) -> None:
    """On a CPU, where reading costs nothing, a loss is checked before its update; elsewhere when losses are read."""
    if loss.device.type == "cpu" and not math.isfinite(loss.item()):
        raise explain_not_finite(training, step)


def _read_losses(training: Training, observers: Observers) -> None:
    """Brings the losses of the last updates from the device in one transfer, adds them up, and shows them."""
    if not training.unread:
        return
    names = list(training.unread[0][1])
    table = torch.stack([torch.stack([sums[n].float() for n in names]) for _, sums in training.unread])
    rows = training.engine.mean(table).tolist()
    counts = [samples for samples, _ in training.unread]
    training.unread.clear()
    if not all(math.isfinite(v) for row in rows for v in row):
        raise explain_not_finite(training, None)
    position = training.position
    for samples, row in zip(counts, rows, strict=True):
        for name, value in zip(names, row, strict=True):
            position.loss_sums[name] = position.loss_sums.get(name, 0.0) + value * samples
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    updates = Updates(position.update - len(rows) + 1, columns, training.lr, training.gradient_norm)
    for observer in observers:
        observer.updated(training, updates)


def _finish_epoch(training: Training, observers: Observers, seconds: float) -> None:
    """Validates, judges, moves to the next epoch, tells the observers."""
    position = training.position
    started = time.perf_counter()
    scores: dict[str, float] = {}
    if training.validation_loader is not None:
        training.outcome = _validate(training, training.validation_loader, observers)
        scores = training.task.metrics(training.outcome) | training.outcome.losses
    train = {n: v / max(1, position.samples) for n, v in position.loss_sums.items()}
    lr = training.lr  # of this epoch's last update: judging may lower it
    samples = position.samples * training.engine.world
    position.epoch, position.batch, position.samples, position.loss_sums = position.epoch + 1, 0, 0, {}
    better = training.judge(scores, train)
    epoch = Epoch(
        position.epoch,
        position.update,
        train,
        scores,
        lr,
        seconds,
        time.perf_counter() - started,
        samples,
        better,
    )
    for observer in observers:
        observer.epoch_ended(training, epoch)
    for observer in observers:
        observer.checkpoint_due(training)


def _validate(training: Training, loader: Loader, observers: Observers) -> Outcome:
    """What the evaluated model (the moving average where one is kept) answers on the validation set."""

    def watch(done: int, total: int) -> None:
        for observer in observers:
            observer.validating(training, done, total)

    with training.evaluated() as model:
        return evaluate(
            model, training.task, loader, engine=training.engine, standardise=training.standardise, watch=watch
        )
