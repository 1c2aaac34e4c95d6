"""Classification with one label: every picture belongs to exactly one class."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from osler.data.source import DataSource
from osler.losses.distribution import as_distribution
from osler.metrics.classification import ClassificationScores
from osler.structures.batch import Batch
from osler.structures.sample import Sample
from osler.tasks.caption import PLAIN, RIGHT, WRONG, Line, captioned
from osler.tasks.constant import Constant
from osler.tasks.objective import doubts, pick_objective, refuse_for_own_loss
from osler.tasks.recipe import TaskSection
from osler.tasks.requirements import chosen_loss, given_weights, require_kind, require_usual_threshold
from osler.tasks.supervised import evaluated, supervised_step
from osler.tasks.task import Losses, LossFunction, Outcome, Step, Task, tasks

Raw = Float[Tensor, "batch classes"]
Target = Int[Tensor, " batch"] | Float[Tensor, "batch classes"]  # class indices, or shares (mixup's)


@tasks.register("classification")
class Classification(Task):
    """One of several classes that exclude one another: softmax and cross-entropy, unless told otherwise."""

    name = "classification"
    monitor = "accuracy"

    def __init__(
        self,
        names: Sequence[str],
        *,
        loss: str | LossFunction | None = None,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        """The task of telling the classes `names` apart.

        `loss` is a registered name, a function of (outputs, target) or None for cross-entropy. `class_weights` has
        one weight for each class. Smoothing and weights act in training only: the loss of an evaluation is the plain
        mean over the samples.

        Raises:
            RecipeError: the loss does not suit classes, or a person's own is to be smoothed or weighted.
        """
        self.names = tuple(names)
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else tuple(float(w) for w in class_weights)
        self.objective = pick_objective(loss, "class")
        refuse_for_own_loss(self.objective, label_smoothing, class_weights)
        self._weights = None if self.class_weights is None else Constant(self.class_weights)

    @classmethod
    def build(
        cls, section: TaskSection, source: DataSource, *, seed: int = 0, loss: LossFunction | None = None
    ) -> "Classification":
        """For the classes of `source`; balanced weights are counted on its training set."""
        require_kind(cls.name, source, "class")
        require_usual_threshold(section, cls.name)
        counts = np.bincount(source.train.targets, minlength=len(source.names))
        weights = balanced_weights(counts) if section.class_weights == "balanced" else given_weights(section, source)
        task = cls(
            source.names,
            loss=chosen_loss(section, loss),
            label_smoothing=section.label_smoothing,
            class_weights=weights,
        )
        held = counts[counts > 0]
        task.notes = doubts(task.objective, "class", imbalance=float(held.max() / held.min()) if len(held) else 1.0)
        return task

    def facts(self) -> dict[str, Any]:
        """The constructor's arguments. A person's own loss is not kept: an evaluation then tells cross-entropy."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {
            "names": list(self.names),
            "loss": self.objective.name,
            "label_smoothing": self.label_smoothing,
            "class_weights": weights,
        }

    @property
    def outputs(self) -> int:
        """One for each class."""
        return len(self.names)

    def steps(self, model: nn.Module, batch: Batch) -> Iterator[Step]:
        """One step: forward, loss."""
        yield supervised_step(model, batch, self.outputs, self._training_loss)

    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[Raw, Losses]:
        """Raw outputs, and the loss without smoothing and weights."""
        return evaluated(model, batch, self.outputs, self._plain_loss)

    def decode(self, outputs: Raw) -> Float[np.ndarray, "batch classes"]:
        """Probabilities: softmax, float32 on the CPU."""
        return torch.softmax(outputs.detach().float(), dim=1).cpu().numpy()

    def collate(self, samples: Sequence[Sample]) -> Int[Tensor, " batch"]:
        """Class indices as int64."""
        return torch.tensor([int(s.target) for s in samples])

    def metrics(self, outcome: Outcome) -> dict[str, float]:
        """accuracy, top5 (of six classes or more), macro precision, recall, f1, auc; calibration_error; the losses."""
        return self.scores(outcome).values() | outcome.losses

    def scores(self, outcome: Outcome) -> ClassificationScores:
        """All that can be said of an outcome: confusion matrix, a row per class, curves, reliability."""
        return ClassificationScores(outcome.predictions, outcome.targets, self.names)

    def describe(self, prediction: Float[np.ndarray, " classes"]) -> dict[str, Any]:
        """The class and its probability, and the second most probable one."""
        first, second = np.argsort(-prediction, kind="stable")[:2].tolist()
        return {
            "class": self.names[first],
            "probability": float(prediction[first]),
            "runner_up": self.names[second],
            "runner_up_probability": float(prediction[second]),
        }

    def draw(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        prediction: Float[np.ndarray, " classes"],
        target: int | None = None,
    ) -> UInt8[np.ndarray, "drawn_height drawn_width 3"]:
        """The picture over its class and probability; where the truth is known, whether that is right."""
        best = int(prediction.argmax())
        answer = f"{self.names[best]} {prediction[best]:.0%}"
        if target is None:
            return captioned(image, [Line(answer, PLAIN)])
        if best == target:
            return captioned(image, [Line(f"right: {answer}", RIGHT)])
        return captioned(image, [Line(f"wrong: {answer}", WRONG), Line(f"is: {self.names[int(target)]}", PLAIN)])

    def mistakes(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """0 for a right answer; otherwise 1 - the probability of the truth: the surer of the wrong, the worse."""
        of_truth = np.take_along_axis(outcome.predictions, outcome.targets[:, None], axis=1)[:, 0]
        return np.where(outcome.predictions.argmax(axis=1) == outcome.targets, 0.0, 1.0 - of_truth)

    def sureness(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """The probability of what is answered."""
        sure: Float[np.ndarray, " samples"] = outcome.predictions.max(axis=1)
        return sure

    def _training_loss(self, outputs: Raw, target: Target) -> Tensor:
        weights = None if self._weights is None else self._weights.on(outputs.device)
        return self._loss(outputs, target, weights, self.label_smoothing)

    def _plain_loss(self, outputs: Raw, target: Target) -> Tensor:
        return self._loss(outputs, target, None, 0.0)

    def _loss(self, outputs: Raw, target: Target, weights: Tensor | None, smoothing: float) -> Tensor:
        if self.objective.name is None:
            return self.objective.own(outputs, target)
        if self.objective.name == "cross_entropy":
            return F.cross_entropy(outputs, target, weights, label_smoothing=smoothing)
        shares = as_distribution(target, self.outputs, smoothing=smoothing)
        of_samples = self.objective.function(outputs, shares, reduction="none")
        if of_samples.ndim > 1:
            of_samples = of_samples.mean(dim=1)
        if weights is None:
            return of_samples.mean()
        weight = (shares * weights).sum(dim=1)
        return (of_samples * weight).sum() / weight.sum()


def balanced_weights(counts: Int[np.ndarray, " classes"]) -> tuple[float, ...]:
    """n / (classes * count) for each class, so that every class weighs alike and the mean over the samples is 1.

    A class without samples gets 0.
    """
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return tuple(np.where(counts > 0, weights, 0.0).tolist())
