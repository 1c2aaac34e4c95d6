"""`osler train --find-lr`: the learning-rate range test on a person's own data and network, nothing kept."""

from pathlib import Path

from torch import Tensor

from osler.structures.batch import Batch
from osler.training.range_test import RangeTest, range_test
from osler.training.state import Training
from osler.verbs.preparing import Wishes, prepare


def find_lr(
    wishes: Wishes, *, low: float = 1e-6, high: float = 10.0, steps: int = 100, plot: str | Path | None = None
) -> RangeTest:
    """Raises the learning rate from `low` to `high`, a batch each, and says where the loss falls fastest (Smith 2017, section 3.3).

    Args:
        wishes: what the person said, as for `train`.
        low: first learning rate.
        high: last one; the test ends before it when the loss diverges.
        steps: batches.
        plot: a PNG or SVG file to draw loss against learning rate into; None: no drawing.
    """
    training = prepare(wishes).training
    batches = _endless(training)

    def step(lr: float) -> float:
        return _update_at(training, next(batches), lr)

    result = range_test(step, low=low, high=high, steps=steps)
    if plot is not None:
        from osler.reports.range_test import save_range_test

        save_range_test(result, Path(plot))
    return result


def _endless(training: Training):  # type: ignore[no-untyped-def]
    """Training batches, epoch after epoch."""
    epoch = 0
    while True:
        yield from training.train_loader.epoch(epoch)
        epoch += 1


def _update_at(training: Training, batch: Batch, lr: float) -> float:
    """One update at a learning rate; the loss before it, infinite where it cannot be had."""
    training.model.train()
    batch = training.prepare(batch)
    total = 0.0
    for step in training.task.steps(training.model, batch):
        group = training.groups[step.group]
        for settings in group.optimizer.param_groups:
            settings["lr"] = lr

        def gradients(step=step, group=group) -> Tensor:  # type: ignore[no-untyped-def]
            group.optimizer.zero_grad(set_to_none=True)
            with training.engine.autocast():
                losses = step.losses()
            loss: Tensor = sum(losses.values())
            loss.backward()
            return loss.detach()

        loss = group.optimizer.step(gradients)  # type: ignore[arg-type]
        total += float(loss)
    return total
