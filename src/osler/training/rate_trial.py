"""Updates at given learning rates, as a range test asks for them: the loop's own, with everything that the recipe says."""

import math
from collections.abc import Iterator

from osler.structures.batch import Batch
from osler.structures.errors import NotFiniteError
from osler.training.choices import scaled_lr
from osler.training.input_choice import settled
from osler.training.loop import begin_epoch, read_losses, update, windows
from osler.training.observer import Observer, Updates
from osler.training.schedule import Schedule
from osler.training.state import Training


class RateTrial(Observer):
    """Makes one update of a training at a learning rate as `train.lr` would give it, and returns the loss before it.

    What the recipe makes of its rate holds here too: `lr_scaling`, and the multiples of single parameters. Only the
    schedule is set aside. The training is used up.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.share, self.loss = 1.0, math.inf  # of the recipe's learning rate; of the last update
        self._windows = self._endless()
        for group in training.groups.values():
            for settings, base in zip(group.optimizer.param_groups, group.schedule.base_lrs, strict=True):
                settings["lr"] = base
            group.schedule = Schedule(group.optimizer, lambda _: self.share)

    def __call__(self, lr: float) -> float:
        """The loss before an update at `lr`; infinite where it is no number."""
        self.share = lr / settled(self.training.recipe.recipe.train.lr)
        window, planned = next(self._windows)
        try:
            update(self.training, window, planned, (self,))
            read_losses(self.training, (self,))
        except NotFiniteError:
            return math.inf
        return self.loss

    def updated(self, training: Training, updates: Updates) -> None:
        """Keeps the loss."""
        self.loss = sum(values[-1] for values in updates.losses.values())

    def remark(self, lr: float) -> str:
        """What the recipe makes of a learning rate, where it does; else nothing."""
        section = self.training.recipe.recipe.train
        if section.lr_scaling == "none":
            return ""
        pictures = settled(section.batch_size) * section.accumulate
        taken = scaled_lr(lr, batch_size=pictures, rule=section.lr_scaling, reference=section.lr_batch_size)
        return f"; train.lr_scaling={section.lr_scaling} makes {taken:.2g} of it for {pictures} pictures an update"

    def _endless(self) -> Iterator[tuple[list[Batch], int]]:
        while True:
            begin_epoch(self.training)
            yield from (found for found in windows(self.training) if found[0])
            self.training.position.next_epoch()
