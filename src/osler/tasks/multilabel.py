"""Classification with several labels: any number of them, also none, may be true of a picture."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from osler.data.source import DataSource
from osler.metrics.multilabel import MultilabelScores
from osler.metrics.thresholds import best_thresholds
from osler.structures.batch import Batch
from osler.structures.sample import Sample
from osler.tasks.caption import PLAIN, RIGHT, WRONG, Line, captioned
from osler.tasks.constant import Constant
from osler.tasks.objective import doubts, pick_objective, refuse_for_own_loss
from osler.tasks.recipe import TaskSection
from osler.tasks.requirements import chosen_loss, given_weights, require_kind
from osler.tasks.supervised import evaluated, supervised_step
from osler.tasks.task import Losses, LossFunction, Outcome, Step, Task, tasks

Raw = Float[Tensor, "batch labels"]


@tasks.register("multilabel")
class Multilabel(Task):
    """Independent labels: a sigmoid and a threshold for each."""

    name = "multilabel"
    monitor = "map"

    def __init__(
        self,
        names: Sequence[str],
        *,
        loss: str | LossFunction | None = None,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        threshold: float | Sequence[float] = 0.5,
    ) -> None:
        """The task of finding the labels `names`.

        `loss` is a registered name, a function of (outputs, target) or None for binary cross-entropy. `class_weights`
        has for each label the weight of its positives; `threshold` is the probability from which a label is given,
        one for all or one for each. Smoothing and weights act in training only.

        Raises:
            RecipeError: the loss does not suit labels, or a person's own is to be smoothed or weighted.
        """
        self.names = tuple(names)
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else tuple(float(w) for w in class_weights)
        self.thresholds = np.broadcast_to(np.asarray(threshold, dtype=np.float64), (len(self.names),)).copy()
        self.objective = pick_objective(loss, "labels")
        refuse_for_own_loss(self.objective, label_smoothing, class_weights)
        self._weights = None if self.class_weights is None else Constant(self.class_weights)

    @classmethod
    def build(
        cls, section: TaskSection, source: DataSource, *, seed: int = 0, loss: LossFunction | None = None
    ) -> "Multilabel":
        """For the labels of `source`; balanced weights are counted on its training set."""
        require_kind(cls.name, source, "labels")
        positives = source.train.targets.sum(axis=0, dtype=np.int64)
        negatives = len(source.train.targets) - positives
        balanced = section.class_weights == "balanced"
        task = cls(
            source.names,
            loss=chosen_loss(section, loss),
            label_smoothing=section.label_smoothing,
            class_weights=balanced_positives(positives, negatives) if balanced else given_weights(section, source),
            threshold=section.threshold,
        )
        held = positives > 0
        rarest = float((negatives[held] / positives[held]).max()) if held.any() else 1.0
        task.notes = doubts(task.objective, "labels", imbalance=rarest)
        return task

    def facts(self) -> dict[str, Any]:
        """The constructor's arguments. A person's own loss is not kept; binary cross-entropy stands in."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {
            "names": list(self.names),
            "loss": self.objective.name,
            "label_smoothing": self.label_smoothing,
            "class_weights": weights,
            "threshold": self.thresholds.tolist(),
        }

    def with_best_thresholds(self, outcome: Outcome) -> "Multilabel":
        """The same task with each label's threshold at its best F1 on an outcome: validation's, never the test's."""
        thresholds = best_thresholds(outcome.predictions, outcome.targets).tolist()
        loss = self.objective.name or self.objective.function
        settings = {"label_smoothing": self.label_smoothing, "class_weights": self.class_weights}
        return Multilabel(self.names, loss=loss, threshold=thresholds, **settings)  # type: ignore[arg-type]

    @property
    def outputs(self) -> int:
        """One for each label."""
        return len(self.names)

    def steps(self, model: nn.Module, batch: Batch) -> Iterator[Step]:
        """One step: forward, loss."""
        yield supervised_step(model, batch, self.outputs, self._training_loss)

    def evaluate(self, model: nn.Module, batch: Batch) -> tuple[Raw, Losses]:
        """Raw outputs, and the loss without smoothing and weights."""
        return evaluated(model, batch, self.outputs, self._plain_loss)

    def decode(self, outputs: Raw) -> Float[np.ndarray, "batch labels"]:
        """The probability of each label: sigmoid, float32 on the CPU."""
        return torch.sigmoid(outputs.detach().float()).cpu().numpy()

    def collate(self, samples: Sequence[Sample]) -> Float[Tensor, "batch labels"]:
        """A row of zeros and ones for each sample, as float32."""
        return torch.from_numpy(np.stack([np.asarray(s.target, dtype=np.float32) for s in samples]))

    def metrics(self, outcome: Outcome) -> dict[str, float]:
        """map, f1 (macro), f1_micro, exact_match, and the losses."""
        return self.scores(outcome).values() | outcome.losses

    def scores(self, outcome: Outcome) -> MultilabelScores:
        """All that can be said of an outcome: counts, a row per label, curves, reliability."""
        return MultilabelScores(outcome.predictions, outcome.targets, self.names, self.thresholds)

    def describe(self, prediction: Float[np.ndarray, " labels"]) -> dict[str, Any]:
        """The labels given, and the probability of every one."""
        given = [self.names[i] for i in self._given(prediction)]
        return {"labels": given} | {f"p({n})": float(p) for n, p in zip(self.names, prediction, strict=True)}

    def draw(
        self,
        image: UInt8[np.ndarray, "height width 3"],
        prediction: Float[np.ndarray, " labels"],
        target: Int[np.ndarray, " labels"] | None = None,
    ) -> UInt8[np.ndarray, "drawn_height drawn_width 3"]:
        """The picture over the labels given; where the truth is known, also those that are missing or too many."""
        given = self._given(prediction)
        answer = ", ".join(f"{self.names[i]} {prediction[i]:.0%}" for i in given) or "no label"
        if target is None:
            return captioned(image, [Line(answer, PLAIN)])
        true = set(np.flatnonzero(np.asarray(target) > 0.5).tolist())
        missing, extra = sorted(true - set(given)), sorted(set(given) - true)
        if not missing and not extra:
            return captioned(image, [Line(f"right: {answer}", RIGHT)])
        wrongs = (("missing", missing), ("too many", extra))
        lines = [Line(f"{what}: {', '.join(self.names[i] for i in which)}", PLAIN) for what, which in wrongs if which]
        return captioned(image, [Line(f"wrong: {answer}", WRONG), *lines])

    def mistakes(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """0 when all labels are right; otherwise how far the probabilities of wrong ones lie from the truth, summed."""
        truth = outcome.targets > 0.5
        wrong = (outcome.predictions >= self.thresholds) != truth
        return np.where(wrong, np.abs(outcome.predictions - truth), 0.0).sum(axis=1)

    def sureness(self, outcome: Outcome) -> Float[np.ndarray, " samples"]:
        """How far the most doubtful of the labels is from its threshold."""
        sure: Float[np.ndarray, " samples"] = np.abs(outcome.predictions - self.thresholds).min(axis=1)
        return sure

    def _given(self, prediction: Float[np.ndarray, " labels"]) -> list[int]:
        return np.flatnonzero(prediction >= self.thresholds).tolist()

    def _training_loss(self, outputs: Raw, target: Float[Tensor, "batch labels"]) -> Tensor:
        weights = None if self._weights is None else self._weights.on(outputs.device)
        return self._loss(outputs, target, weights, self.label_smoothing)

    def _plain_loss(self, outputs: Raw, target: Float[Tensor, "batch labels"]) -> Tensor:
        return self._loss(outputs, target, None, 0.0)

    def _loss(
        self, outputs: Raw, target: Float[Tensor, "batch labels"], weights: Tensor | None, smoothing: float
    ) -> Tensor:
        if self.objective.name is None:
            return self.objective.own(outputs, target)
        if smoothing:
            target = target * (1 - smoothing) + smoothing / 2
        if self.objective.name == "bce":
            return F.binary_cross_entropy_with_logits(outputs, target, pos_weight=weights)
        if weights is None:
            return self.objective.function(outputs, target)
        of_labels = self.objective.function(outputs, target, reduction="none")
        return (of_labels * (target * weights + 1 - target)).mean()


def balanced_positives(
    positives: Int[np.ndarray, " labels"], negatives: Int[np.ndarray, " labels"]
) -> tuple[float, ...]:
    """negatives / positives for each label, so that its positives weigh together what its negatives weigh.

    A label without positives, or without negatives, gets 1.
    """
    both = (positives > 0) & (negatives > 0)
    return tuple(np.where(both, negatives / np.maximum(positives, 1), 1.0).tolist())
