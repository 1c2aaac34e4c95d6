"""What watches a training. Observers see; only the loop acts."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from osler.training.state import Training


@dataclass(frozen=True, slots=True)
class Updates:
    """The losses of some consecutive updates, read from the device in one go."""

    first: int  # number of the first of them, counted from 1 since the start
    losses: dict[str, list[float]]  # a value per update; NaN where an update had no such loss
    lr: float  # learning rate of the last of them

    def __len__(self) -> int:
        return len(next(iter(self.losses.values()), []))


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to."""

    number: int  # from 1
    update: int  # updates made until its end
    train: dict[str, float]  # mean losses over the pictures of the updates that had them
    validation: dict[str, float]  # metrics; empty without a validation set
    lr: float
    seconds: float  # of training, validation apart
    validation_seconds: float
    samples: int
    best: bool = False


class Observer:
    """Does nothing at every occasion; a subclass looks where it wants to.

    An observer must not change the training, its randomness included: losses are the same bit for bit with it and without.
    """

    def started(self, training: Training) -> None:
        """Before the first batch; also when a run is resumed."""

    def batch_done(self, training: Training) -> None:
        """After every update: on the hot path, so a few microseconds at most."""

    def updated(self, training: Training, updates: Updates) -> None:
        """Some updates were made, and their losses read."""

    def batch_halved(self, training: Training) -> None:
        """Memory ran out: the recipe says with how many pictures a batch it goes on, and why."""

    def validating(self, training: Training, done: int, total: int) -> None:
        """Between the batches of a validation."""

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        """After an epoch and its validation, the position already on the next."""

    def checkpoint_due(self, training: Training) -> None:
        """At the moments from which a run can be resumed: after an epoch, every so many updates, before leaving."""

    def stopped(self, training: Training) -> None:
        """After the last epoch, or when `training.stop` says why it ended early."""

    def closed(self) -> None:
        """The last call, also when an error ended the training or another observer: gives back what was opened."""


Observers = Sequence[Observer]


@contextmanager
def all_closed(observers: Observers) -> Iterator[None]:
    """On the way out, however that is, every observer is closed, whatever becomes of the others."""
    with ExitStack() as stack:
        for observer in observers:
            stack.callback(observer.closed)
        yield
