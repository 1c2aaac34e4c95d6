"""Regression: one or several numbers are told from a picture."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from osler.data.source import DataSource
from osler.metrics.regression import RegressionScores
from osler.structures.batch import Batch
from osler.structures.errors import DataError, RecipeError
from osler.structures.sample import Sample
from osler.tasks.caption import PLAIN, RIGHT, WRONG, Line, captioned
from osler.tasks.constant import Constant
from osler.tasks.objective import doubts, pick_objective
from osler.tasks.recipe import TaskSection
from osler.tasks.requirements import chosen_loss, require_kind, require_usual_threshold
from osler.tasks.supervised import evaluated, supervised_step
from osler.tasks.task import Losses, LossFunction, Outcome, Step, Task, tasks

Raw = Float[Tensor, "batch numbers"]
Numbers = Float[np.ndarray, "batch numbers"]

CLOSE = 0.25  # of a number's own spread: the error up to which a drawn answer is called close
FAR = 3.0  # interquartile ranges outside the quartiles from which a target is an outlier (Tukey 1977, "far out")


@tasks.register("regression")
class Regression(Task):
    """Numbers. The network learns them standardised; the person sees them in their own units."""

    name = "regression"
    monitor = "mae"
    direction = "min"

    def __init__(
        self,
        names: Sequence[str],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        loss: str | LossFunction | None = None,
    ) -> None:
        """The task of telling the numbers `names`, whose training targets have this mean and standard deviation.

        `loss` is a registered name, a function of (outputs, target), both standardised, or None for squared error.

        Raises:
            RecipeError: the loss does not suit numbers.
            ValueError: a standard deviation is not positive, or there are not as many means and deviations as names.
        """
        if not len(names) == len(mean) == len(std) or min(std) <= 0:
            raise ValueError(f"{len(names)} numbers need as many means and positive deviations, not {mean} and {std}.")
        self.names = tuple(names)
        self.mean = tuple(float(m) for m in mean)
        self.std = tuple(float(s) for s in std)
        self.objective = pick_objective(loss, "numbers")
        self._mean, self._std = Constant(self.mean), Constant(self.std)

    @classmethod
    def build(
        cls, section: TaskSection, source: DataSource, *, seed: int = 0, loss: LossFunction | None = None
    ) -> "Regression":
        """For the numbers of `source`, scaled by the mean and spread of its training set."""
        require_kind(cls.name, source, "numbers")
        require_usual_threshold(section, cls.name)
        for key, usual in (("label_smoothing", 0.0), ("class_weights", "none")):
            if getattr(section, key) != usual:
                raise RecipeError(f"task.{key} is for classes and labels, but {source.name} gives numbers: remove it.")
        targets = _finite(source.train.targets, source)
        std = targets.std(axis=0)
        constant = [n for n, s in zip(source.names, std, strict=True) if s == 0]
        scale = np.where(std > 0, std, 1.0)
        loss_ = chosen_loss(section, loss)
        task = cls(source.names, mean=targets.mean(axis=0).tolist(), std=scale.tolist(), loss=loss_)
        task.notes = doubts(task.objective, "numbers", outliers=_outliers(targets))
        if constant:
            task.notes = [
                *task.notes,
                f"{', '.join(constant)} never varies in training: there is nothing to learn about it.",
            ]
        return task

    def facts(self) -> dict[str, Any]:
        """The constructor's arguments. A person's own loss is not kept: an evaluation then tells squared error."""
        return {"names": list(self.names), "mean": list(self.mean), "std": list(self.std), "loss": self.objective.name}

    @property
    def outputs(self) -> int:
        """One for each number."""
        return len(self.names)

    def steps(self, model: nn.Module, batch: Batch) -> Iterator[Step]:
        """One step: forward, loss on standardised targets."""
        yield supervised_step(model, batch, self.outputs, self._loss)

    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[Raw, Losses]:
        """Raw (standardised) outputs and the loss on standardised targets."""
        return evaluated(model, batch, self.outputs, self._loss)

    def decode(self, outputs: Raw) -> Numbers:
        """The numbers in the person's units, float32 on the CPU."""
        device = outputs.device
        return (outputs.detach().float() * self._std.on(device) + self._mean.on(device)).cpu().numpy()

    def collate(self, samples: Sequence[Sample]) -> Float[Tensor, "batch numbers"]:
        """The numbers in the person's units, as float32."""
        rows = [np.atleast_1d(np.asarray(s.target, dtype=np.float32)) for s in samples]
        return torch.from_numpy(np.stack(rows))

    def raw_targets(self, target: Float[Tensor, "batch numbers"]) -> Float[Tensor, "batch numbers"]:
        """The numbers standardised."""
        return (target - self._mean.on(target.device)) / self._std.on(target.device)

    def metrics(self, outcome: Outcome) -> dict[str, float]:
        """mae, rmse and r2 in the person's units, means over the numbers, and the losses (standardised)."""
        return self.scores(outcome).values() | outcome.losses

    def scores(self, outcome: Outcome) -> RegressionScores:
        """All that can be said of an outcome, number by number."""
        return RegressionScores(outcome.predictions, outcome.targets, self.names)

    def describe(self, prediction: Float[np.ndarray, " numbers"]) -> dict[str, Any]:
        """Each number by its name."""
        return {n: float(v) for n, v in zip(self.names, prediction, strict=True)}

    def draw(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        prediction: Float[np.ndarray, " numbers"],
        target: Float[np.ndarray, " numbers"] | None = None,
    ) -> UInt8[np.ndarray, "drawn_height drawn_width 3"]:
        """The picture over its numbers; where the truth is known, beside it, and whether the answer is close to it."""
        if target is None:
            rows = zip(self.names, prediction, strict=True)
            return captioned(image, [Line(f"{n} {p:.4g}", PLAIN) for n, p in rows])
        lines = []
        for name, p, t, std in zip(self.names, prediction, np.atleast_1d(target), self.std, strict=True):
            close = abs(p - t) <= CLOSE * std
            lines.append(Line(f"{'close' if close else 'off'}: {name} {p:.4g}, is {t:.4g}", RIGHT if close else WRONG))
        return captioned(image, lines)

    def mistakes(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """The root mean square of the errors, each in units of its number's spread."""
        errors = (outcome.predictions - outcome.targets) / np.asarray(self.std)
        return np.sqrt(np.square(errors).mean(axis=1))

    def sureness(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """Numbers come without a probability: the nearer the truth, the better the answer."""
        return -self.mistakes(outcome)

    def _loss(self, outputs: Raw, target: Float[Tensor, "batch numbers"]) -> Tensor:
        scaled = self.raw_targets(target)
        return (
            self.objective.own(outputs, scaled)
            if self.objective.name is None
            else self.objective.function(outputs, scaled)
        )


def _finite(targets: Numbers, source: DataSource) -> Float[np.ndarray, "samples numbers"]:
    """The targets in double precision.

    Raises:
        DataError: there are none, or some are not finite.
    """
    if not len(targets):
        raise DataError(f"{source.name} has no training pictures, so its numbers cannot be scaled.")
    bad = np.argwhere(~np.isfinite(targets))
    if len(bad):
        row, column = bad[0].tolist()
        raise DataError(
            f"{len(bad)} of the training numbers of {source.name} are not finite; the first is {source.names[column]!r}"
            f" of training picture {row}. Correct or leave out those rows."
        )
    return targets.astype(np.float64)


def _outliers(targets: Float[np.ndarray, "samples numbers"]) -> float:
    """The largest share, over the numbers, of targets further than three interquartile ranges outside the quartiles."""
    low, high = np.percentile(targets, [25, 75], axis=0)
    fence = FAR * (high - low)
    outside = (targets < low - fence) | (targets > high + fence)
    return float(np.where(high > low, outside.mean(axis=0), 0.0).max())
