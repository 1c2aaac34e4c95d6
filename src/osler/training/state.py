"""The state of a training: everything that the loop changes, in one place, saved and restored as one dictionary."""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from osler.data.loader import Loader
from osler.imaging.transform import BatchTransform
from osler.models.mirrored import Mirrored
from osler.structures.batch import Batch
from osler.structures.errors import RecipeError, TrainingError
from osler.tasks.task import Outcome, Task
from osler.training.averaging import WeightAverage
from osler.training.engine import Engine
from osler.training.fine_tuning import Freezing
from osler.training.recipe import ResolvedRecipe
from osler.training.schedule import Schedule

LOWER_IS_BETTER = (
    "loss",
    "error",
    "mae",
    "mse",
    "brier",
)  # ends of the names of metrics; of all others higher is better


@dataclass(slots=True)
class Position:
    """Where a training stands."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches of the current epoch already used
    update: int = 0  # updates made since the start
    samples: int = 0  # pictures of the current epoch already used, by this process
    loss_sums: dict[str, float] = field(
        default_factory=dict
    )  # over the pictures of the current epoch, by all processes
    loss_counts: dict[str, int] = field(default_factory=dict)  # the pictures in each of these sums
    loss_owners: dict[str, str] = field(
        default_factory=dict
    )  # the group of the step that first had a loss of that name

    def next_epoch(self) -> None:
        """To the start of the epoch after this one."""
        self.epoch, self.batch, self.samples = self.epoch + 1, 0, 0
        self.loss_sums, self.loss_counts = {}, {}


@dataclass(slots=True)
class Best:
    """The best validation so far."""

    score: float = math.nan
    epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Group:
    """A part of the model with an optimiser of its own."""

    module: nn.Module
    optimizer: Optimizer
    schedule: Schedule
    parameters: list[nn.Parameter]


@dataclass
class Training:
    """A task, a model, and all that moves while one fits the other."""

    recipe: ResolvedRecipe
    task: Task
    model: nn.Module
    engine: Engine
    groups: dict[str, Group]
    train_loader: Loader
    validation_loader: Loader | None = None
    standardise: nn.Module = field(default_factory=nn.Identity)  # bytes to floats, on the device
    batch_transforms: Sequence[BatchTransform] = ()
    freezing: Freezing | None = None  # which layers stay as they are
    notes: Sequence[str] = ()  # for the person, from how the weights started
    average: WeightAverage | None = None
    position: Position = field(default_factory=Position)
    best: Best = field(default_factory=Best)
    stale: int = 0  # epochs since the best
    outcome: Outcome | None = None  # of the last validation
    stop: str = ""  # why the training should end before its last epoch; "" to go on
    asked_to_stop: str = ""  # by a signal, seen after the update at hand
    interrupted: bool = False  # `stop` came from outside: the run can go on later
    unread: list[tuple[int, dict[str, Tensor]]] = field(default_factory=list)  # pictures and losses of the last updates

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done or something asked to stop."""
        return bool(self.stop) or self.position.epoch >= self.recipe.recipe.train.epochs

    @property
    def monitor(self) -> str:
        """The validation metric that decides which checkpoint is best."""
        named = self.recipe.recipe.train.monitor
        return self.task.monitor if named == "auto" else named

    @property
    def lr(self) -> float:
        """The learning rate of the first group of the first optimiser."""
        return float(next(iter(self.groups.values())).optimizer.param_groups[0]["lr"])

    @contextmanager
    def shipped(self) -> Iterator[nn.Module]:
        """The model in evaluation mode, with the moving average as its weights where one is kept."""
        was_training = self.model.training
        self.model.eval()
        try:
            with nullcontext() if self.average is None else self.average.swapped_into(self.model):
                yield self.model
        finally:
            self.model.train(was_training)

    @contextmanager
    def evaluated(self) -> Iterator[nn.Module]:
        """What answers: the shipped model, looking at the mirror image as well where the recipe says so."""
        with self.shipped() as model:
            yield Mirrored(model).eval() if self.recipe.recipe.model.mirror else model

    def judge(self, scores: dict[str, float], train: dict[str, float]) -> bool:
        """Compares an epoch with the best so far; asks to stop when patience is over; tells schedules that wait for plateaus.

        Without a validation set nothing can be compared: the latest epoch is kept.
        """
        if not scores:
            self.best = Best(math.nan, self.position.epoch, train)
            return True
        sign = 1 if self.direction == "max" else -1
        score = self._monitored(scores)
        better = math.isfinite(score) and not sign * score <= sign * self.best.score
        if better:
            self.best = Best(score, self.position.epoch, scores)
        self.stale = 0 if better else self.stale + 1
        for group in self.groups.values():
            group.schedule.epoch_ended(score, direction=self.direction)
        self.lose_patience()
        return better

    def heed(self) -> None:
        """Stops where a signal asked for it; with several processes, all of them when any was asked."""
        asked = [a for a in self.engine.gather(self.asked_to_stop) if a]
        if asked:
            self.stop, self.interrupted = asked[0], True

    def lose_patience(self) -> None:
        """Asks to stop when the monitored metric has not improved for too long."""
        patience = self.recipe.recipe.train.patience
        if patience and self.stale >= patience:
            self.stop = f"{self.monitor} has not improved for {self.stale} epochs"

    def _monitored(self, scores: dict[str, float]) -> float:
        if self.monitor not in scores:
            raise RecipeError(
                f"train.monitor={self.monitor} is no metric of {self.task.name}. Its metrics: {', '.join(scores)}."
            )
        return scores[self.monitor]

    @property
    def direction(self) -> Literal["max", "min"]:
        """Whether the monitored metric is better when it is higher, or when it is lower."""
        if self.monitor == self.task.monitor:
            return self.task.direction
        return "min" if self.monitor.endswith(LOWER_IS_BETTER) else "max"

    def agree_on_statistics(self) -> None:
        """One network in all processes: the running statistics of norm layers become the mean over them."""
        self.engine.average_statistics(self.model)
        if self.average is not None:
            self.engine.average_statistics(self.average.model)

    def halve_batch(self, failure: str) -> None:
        """After memory ran out: half the batch and twice the accumulation from here on, on the record.

        Raises:
            TrainingError: the person set the batch size, or a single picture is already too much.
        """
        recipe, size = self.recipe, self.train_loader.batch_size * self.engine.world
        self._refuse_to_halve(self.train_loader, failure)
        reason = f"memory ran out with {size}"
        recipe = recipe.choose("train.batch_size", size // 2, reason)
        self.recipe = recipe.choose("train.accumulate", recipe.recipe.train.accumulate * 2, reason)
        self.train_loader.batch_size //= 2
        if self.validation_loader is not None:
            self.validation_loader.batch_size = max(1, self.validation_loader.batch_size // 2)
        self.position.batch *= 2

    def halve_evaluation(self, failure: str) -> None:
        """After memory ran out in a validation: half its batch, which changes nothing that is computed.

        Raises:
            TrainingError: as of `halve_batch`.
        """
        assert self.validation_loader is not None
        self._refuse_to_halve(self.validation_loader, failure)
        self.validation_loader.batch_size //= 2

    def _refuse_to_halve(self, loader: Loader, failure: str) -> None:
        if self.recipe.origin("train.batch_size").who == "person" or loader.batch_size < 2:
            size = loader.batch_size * self.engine.world
            raise TrainingError(
                f"Memory ran out with {size} pictures in a batch ({failure.splitlines()[0][:120]}). "
                "Set a smaller train.batch_size (and train.accumulate to keep the update's size), or leave it to auto."
            )

    def generator(self, batch: int) -> torch.Generator:
        """Randomness for what is done to a whole batch: a function of seed, epoch, batch and process."""
        place = (self.recipe.recipe.seed, self.position.epoch, batch, self.engine.rank)
        words = np.random.SeedSequence([w % 2**32 for w in place]).generate_state(2)
        return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)

    def prepare(self, batch: Batch) -> Batch:
        """A batch on the device, as the network takes it."""
        if self.engine.device.type != "cpu":
            batch = batch.to(self.engine.device)
        return Batch(self.engine.laid_out(self.standardise(batch.images)), batch.target, batch.indices)

    def trainable(self) -> Iterable[nn.Parameter]:
        """All parameters that some optimiser moves."""
        return (p for g in self.groups.values() for p in g.parameters)


def state_of(training: Training) -> dict[str, Any]:
    """Everything needed to go on bit for bit: tensors, numbers and strings only."""
    return {
        "model": training.model.state_dict(),
        "average": None if training.average is None else training.average.state_dict(),
        "optimizers": {n: g.optimizer.state_dict() for n, g in training.groups.items()},
        "schedules": {n: g.schedule.state_dict() for n, g in training.groups.items()},
        "scaler": None if training.engine.scaler is None else training.engine.scaler.state_dict(),
        "position": asdict(training.position),
        "best": asdict(training.best),
        "stale": training.stale,
        "random": random_state(),
    }


def restore(training: Training, state: dict[str, Any]) -> None:
    """Puts a training where `state_of` found it."""
    training.model.load_state_dict(state["model"])
    if training.average is not None and state["average"] is not None:
        training.average.load_state_dict(state["average"])
    for name, group in training.groups.items():
        group.optimizer.load_state_dict(state["optimizers"][name])
        group.schedule.load_state_dict(state["schedules"][name])
    if training.engine.scaler is not None and state["scaler"] is not None:
        training.engine.scaler.load_state_dict(state["scaler"])
    training.position = Position(**state["position"])
    training.best = Best(**state["best"])
    training.stale = state["stale"]
    training.lose_patience()
    set_random_state(state["random"])
    part_ways(training.engine, training.recipe.recipe.seed, training.position.update)


def random_state() -> dict[str, Any]:
    """The state of every global source of randomness."""
    kind, keys, place, has_gauss, gauss = np.random.get_state()
    python_version, python_keys, python_gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), int(place), int(has_gauss), float(gauss)],
        "python": [python_version, list(python_keys), python_gauss],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """The inverse of `random_state`."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    kind, keys, place, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), place, has_gauss, gauss))
    version, python_keys, python_gauss = state["python"]
    random.setstate((version, tuple(python_keys), python_gauss))


def seed_everything(seed: int) -> None:
    """Starts every global source of randomness from one number."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def part_ways(engine: Engine, seed: int, update: int = 0) -> None:
    """From here on every process but the first draws its own global randomness, so that each drops other units.

    To be called when everything that must be equal in all of them, such as the first weights, has been drawn.
    """
    if engine.rank:
        own = np.random.SeedSequence((seed, engine.rank, update)).generate_state(1, np.uint64)[0]
        seed_everything(int(own >> np.uint64(1)))
