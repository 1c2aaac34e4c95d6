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
from osler.structures.errors import TrainingError
from osler.tasks.task import Outcome, Step
from osler.training.clipping import clip_gradients
from osler.training.evaluation import evaluate
from osler.training.memory import is_out_of_memory
from osler.training.not_finite import explain_not_finite
from osler.training.observer import Epoch, Observers, Updates, all_closed
from osler.training.proximal import soft_threshold
from osler.training.state import Group, Training

READ_EVERY = 50  # updates between reads of the losses from the device: often enough to watch, seldom enough not to wait


def fit(training: Training, observers: Observers) -> None:
    """Runs epochs from where the training stands until it is finished or something asks to stop.

    Raises:
        NotFiniteError: a loss is NaN or infinite. On a processor the weights are those before that update; elsewhere, where
            losses are read now and then, up to 50 updates have been made with it. No checkpoint holds such weights.
        TrainingError: memory ran out and the batch cannot be halved.
    """
    with all_closed(observers):
        for observer in observers:
            observer.started(training)
        while not training.finished:
            started = time.perf_counter()
            _epoch(training, observers)
            if training.stop:
                break
            _finish_epoch(training, observers, time.perf_counter() - started)
        if training.position.batch:  # in the middle of an epoch
            _checkpoint(training, observers)
        for observer in observers:
            observer.stopped(training)


def begin_epoch(training: Training) -> None:
    """The network in training mode, with the layers frozen that the current epoch wants frozen."""
    training.model.train()
    if training.freezing is not None:
        training.freezing.apply(training.model, training.position.epoch)


def _epoch(training: Training, observers: Observers) -> None:
    """The rest of the current epoch; again from where it stood, with half the batch, when memory runs out."""
    begin_epoch(training)
    while True:
        try:
            for window, planned in windows(training):
                update(training, window, planned, observers)
                if training.stop:
                    break
            read_losses(training, observers)
            return
        except ValueError as error:
            told = _one_value_a_channel(error, training)
            if told is None:
                raise
            raise told from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error)
        training.halve_batch(failure)
        for observer in observers:
            observer.batch_halved(training)


def _one_value_a_channel(error: ValueError, training: Training) -> TrainingError | None:
    """What to say where a batch norm has nothing to take a variance of."""
    if "more than 1 value per channel" not in str(error):
        return None
    recipe = training.recipe.recipe
    return TrainingError(
        f"A batch norm sees one value per channel, of which there is no variance: with train.batch_size={recipe.train.batch_size} "
        f"and model.size={recipe.model.size} no more is left. Take more pictures in a batch, or larger ones."
    )


def windows(training: Training) -> Iterator[tuple[list[Batch], int]]:
    """The batches of each update, and how many of the epoch's plan they are: as many as are accumulated, fewer at its end.

    A batch of which no picture can be read is planned and does not come.
    """
    accumulate = training.recipe.recipe.train.accumulate
    window: list[Batch] = []
    planned = 0
    for batch in training.train_loader.planned(training.position.epoch, training.position.batch):
        planned += 1
        if batch is not None:
            window.append(batch)
        if planned == accumulate:
            yield window, planned
            window, planned = [], 0
    if planned:
        yield window, planned


def update(training: Training, window: list[Batch], planned: int, observers: Observers) -> None:
    """The steps of one window of batches: for each step of the task, one update of that step's group of parameters."""
    if not window:
        training.position.batch += planned
        return
    engine = training.engine
    batches = [_augmented(training, batch, training.position.batch + i) for i, batch in enumerate(window)]
    samples = sum(map(len, batches))
    noted: dict[str, list[Tensor]] = {}
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
            if not seen:
                seen.update(now)
            return _finish_gradients(training, group, _total(now), samples)

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
        _note(training, steps[0].group, seen, noted)
    _count(training, planned, samples, noted, observers)


def _total(losses: dict[str, Tensor]) -> Tensor:
    """The sum of named losses: what is minimised."""
    first, *others = losses.values()
    return sum(others, first)


def _add(sums: dict[str, Tensor], losses: dict[str, Tensor], share: float) -> None:
    """Adds a batch's share of the losses, without their history."""
    for name, value in losses.items():
        value = value.detach() if share == 1 else value.detach() * share
        sums[name] = sums[name] + value if name in sums else value


def _note(training: Training, group: str, losses: dict[str, Tensor], noted: dict[str, list[Tensor]]) -> None:
    """The losses of a step among those of the update: a name that belongs to another group's steps gets the group before it."""
    for name, value in losses.items():
        owner = training.position.loss_owners.setdefault(name, group)
        noted.setdefault(name if owner == group else f"{group}.{name}", []).append(value)


def _count(
    training: Training, batches: int, samples: int, noted: dict[str, list[Tensor]], observers: Observers
) -> None:
    """After an update: the position, the moving average, the observers. Of a loss that several steps had, the mean counts."""
    position = training.position
    if training.average is not None:
        training.average.update(training.model)
    position.batch += batches
    position.update += 1
    position.samples += samples
    losses = {name: values[0] if len(values) == 1 else torch.stack(values).mean() for name, values in noted.items()}
    training.unread.append((samples, losses))
    for observer in observers:
        observer.batch_done(training)
    every = training.recipe.recipe.train.checkpoint_every
    due = every and position.update % every == 0
    if due or len(training.unread) == READ_EVERY:
        read_losses(training, observers)
    if due:
        _checkpoint(training, observers)
    if training.engine.world == 1 or not training.unread:  # several processes agree when they talk anyway
        training.heed()


def _checkpoint(training: Training, observers: Observers) -> None:
    """In the middle of an epoch: one network in all processes, to go on from."""
    training.agree_on_statistics()
    for observer in observers:
        observer.checkpoint_due(training)


def _augmented(training: Training, batch: Batch, number: int) -> Batch:
    """A batch on the device, standardised, mixed and coloured by its place in the run."""
    batch = training.prepare(batch)
    if training.batch_transforms:
        generator = training.generator(number)
        for transform in training.batch_transforms:
            batch = transform(batch, generator)
    return batch


def _finish_gradients(training: Training, group: Group, loss: Tensor, samples: int) -> Tensor:
    """Between backward and the optimiser: agree among processes, also on the loss, which is returned; unscale, clip."""
    section = training.recipe.recipe.train
    loss = training.engine.average_gradients(group.parameters, loss, samples)
    if training.engine.scaler is not None:
        training.engine.scaler.unscale_(group.optimizer)
    if section.clip_norm or section.clip_value:
        clip_gradients(group.parameters, norm=section.clip_norm, value=section.clip_value)
    return loss


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


def read_losses(training: Training, observers: Observers) -> None:
    """Brings the losses of the last updates from the device in one transfer, adds them up, and shows them."""
    if not training.unread:
        return
    names = _names(training)
    rows, counts = _gathered(training, names)
    training.unread.clear()
    if not all(math.isfinite(v) for row in rows for v in row):
        raise explain_not_finite(training, None)
    position = training.position
    for row, pictures in zip(rows, counts, strict=True):
        for name, value, count in zip(names, row, pictures, strict=True):
            position.loss_sums[name] = position.loss_sums.get(name, 0.0) + value * count
            position.loss_counts[name] = position.loss_counts.get(name, 0) + int(count)
    columns = {
        name: [row[i] if count[i] else math.nan for row, count in zip(rows, counts, strict=True)]
        for i, name in enumerate(names)
    }
    updates = Updates(position.update - len(rows) + 1, columns, training.lr)
    for observer in observers:
        observer.updated(training, updates)


def _names(training: Training) -> list[str]:
    """The losses of the last updates, also of those that only some of them had, in the order of their first appearance."""
    own = list(dict.fromkeys(name for _, losses in training.unread for name in losses))
    return list(dict.fromkeys(name for names in training.engine.gather(own) for name in names))


def _gathered(training: Training, names: list[str]) -> tuple[list[list[float]], list[list[float]]]:
    """For each of the last updates and each name: the loss over the pictures of all processes, and how many these are.

    An update that had no such loss has 0 of 0 pictures.
    """
    unread = training.unread
    none = torch.zeros((), device=training.engine.device)
    table = torch.stack([torch.stack([losses.get(n, none).float() for n in names]) for _, losses in unread])
    counts = torch.tensor([[float(samples) if n in losses else 0.0 for n in names] for samples, losses in unread])
    means, totals = training.engine.weighted_mean(table, counts)
    return means.tolist(), totals.tolist()


def _finish_epoch(training: Training, observers: Observers, seconds: float) -> None:
    """Validates, judges, moves to the next epoch, tells the observers."""
    position = training.position
    started = time.perf_counter()
    training.agree_on_statistics()
    scores: dict[str, float] = {}
    if training.validation_loader is not None:
        training.outcome = _validate(training, training.validation_loader, observers)
        scores = training.task.metrics(training.outcome) | training.outcome.losses
    train = {n: v / max(1, position.loss_counts[n]) for n, v in position.loss_sums.items()}
    lr = training.lr  # of this epoch's last update: judging may lower it
    samples = sum(training.engine.gather(position.samples))
    position.next_epoch()
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

    while True:
        try:
            with training.evaluated() as model:
                return evaluate(
                    model, training.task, loader, engine=training.engine, standardise=training.standardise, watch=watch
                )
        except ValueError as error:
            told = _one_value_a_channel(error, training)
            if told is None:
                raise
            raise told from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error)
        training.halve_evaluation(failure)
