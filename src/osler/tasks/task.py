"""What a task is: the only one who knows what targets look like, which losses fit, and what raw outputs mean."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from osler.data.source import DataSource
from osler.imaging.fit import Placement
from osler.models.main_output import main_output
from osler.structures.batch import Batch
from osler.structures.registry import Registry
from osler.structures.sample import Sample
from osler.tasks.recipe import TaskSection

Losses = dict[str, Tensor]  # named scalars; what is minimised is their sum
LossFunction = Callable[..., Tensor]  # a person's own: loss(outputs, target) gives one number


@dataclass(frozen=True, slots=True)
class Step:
    """One update: which group of parameters moves, and a closure that runs the forward pass and returns named losses.

    The loop calls the closure under its precision, sums the losses, goes backward, clips and steps that group's
    optimiser. It may call the closure several times (L-BFGS).
    """

    losses: Callable[[], Losses]
    group: str = "model"


@dataclass(slots=True)
class Outcome:
    """What a network answered on a split, every sample once, in the data set's order. Arrays have a row per sample."""

    indices: Int[np.ndarray, " samples"]
    predictions: Any  # as `Task.decode` gives them, concatenated
    targets: Any
    losses: dict[str, float] = field(default_factory=dict)  # means over the samples


class Task(ABC):
    """Steps, losses, decoding, metrics and drawing of one kind of problem."""

    name: ClassVar[str]
    monitor: ClassVar[str]  # the metric by which the best checkpoint is chosen
    direction: ClassVar[Literal["max", "min"]] = "max"
    thresholds: Float[np.ndarray, " labels"] = np.zeros(
        0
    )  # probability from which each label is given; empty: no labels
    fixed_targets: ClassVar[bool] = True  # whether what a network is to say does not depend on what it says
    notes: Sequence[str] = ()  # what was found or chosen when the task was built that the person should know

    @classmethod
    def build(
        cls, section: TaskSection, source: DataSource, *, seed: int = 0, loss: LossFunction | None = None
    ) -> "Task":
        """The task for a data set. What must be measured is measured on the training targets.

        `seed` is for tasks with randomness of their own, such as a generator's noise. `loss` is a person's own loss,
        given in Python or loaded from the file that the recipe names; it goes before `section.loss`. Unless a task
        says otherwise, neither recipe nor data tell it anything.

        Raises:
            RecipeError: the recipe asks for something that this task or these targets do not allow.
            DataError: the targets cannot be learnt from.
        """
        return cls()

    def facts(self) -> dict[str, Any]:
        """What must be kept with a trained model so that its task is made again without the data: plain JSON values."""
        return {}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "Task":
        """The task of which these are the `facts`, also after a trip through JSON: the constructor's arguments."""
        return cls(**facts)

    @property
    @abstractmethod
    def outputs(self) -> int:
        """How many raw outputs the network must give for a picture."""

    def groups(self, model: nn.Module) -> Mapping[str, nn.Module]:
        """The parts of the model with an optimiser of their own. One, unless the task plays several against another."""
        return {"model": model}

    @abstractmethod
    def steps(self, model: nn.Module, batch: Batch) -> Iterator[Step]:
        """The updates to make for one batch, in order; each is run before the next is asked for."""

    @abstractmethod
    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[Any, Losses]:
        """Raw outputs and losses of a batch, the model in evaluation mode, no gradient."""

    def answer(self, model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> Any:
        """Raw outputs for standardised pictures of which no truth is known, the model in evaluation mode, no gradient.

        Unless a task says otherwise: what the network puts out, without auxiliary classifiers.
        """
        return main_output(model(images))

    @abstractmethod
    def decode(self, outputs: Any) -> Any:
        """Raw outputs as predictions: an array (or list) on the CPU with a row per picture."""

    def in_picture(self, prediction: Any, placement: Placement) -> Any:
        """A prediction in the pixels of the picture that lay so in the network's input; unless it has places, itself."""
        return prediction

    @abstractmethod
    def collate(self, samples: Sequence[Sample]) -> Any:
        """The targets of some samples as the `target` of a Batch."""

    def raw_targets(self, target: Any) -> Any:
        """The targets of a batch in the terms of the raw outputs: what a network's outputs should be near to."""
        return target

    @abstractmethod
    def metrics(self, outcome: Outcome) -> dict[str, float]:
        """The numbers by which the field judges this task, over a whole split."""

    @abstractmethod
    def describe(self, prediction: Any) -> dict[str, Any]:
        """One prediction (a row of `decode`'s) as plain values for a table, JSON or CSV."""

    def table_rows(self, prediction: Any) -> list[dict[str, Any]]:
        """One prediction as rows of a table. Unless a task says otherwise: one row, as `describe` gives it."""
        return [self.describe(prediction)]

    @abstractmethod
    def draw(
        self, image: UInt8[np.ndarray, "height width 3"], prediction: Any, target: Any = None
    ) -> UInt8[np.ndarray, "drawn_height drawn_width 3"]:
        """The picture with the prediction (and the truth, where known) written on it."""

    def mistakes(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """How wrong each prediction is (0 = right; larger = worse), for the report's worst mistakes."""
        return np.zeros(len(outcome.indices))

    def sureness(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """How sure each prediction is (larger = surer), for the report's surest right answers."""
        return np.zeros(len(outcome.indices))


tasks: Registry[type[Task]] = Registry("task")
