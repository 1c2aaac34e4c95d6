"""What a report tells: plain data, so that the page knows nothing of how a run is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8

from osler.data.source import Skipped
from osler.structures.finding import Finding
from osler.structures.healing import TriedChange
from osler.tasks.task import Outcome
from osler.training.recipe import Origin


@dataclass(frozen=True, slots=True)
class Subject:
    """What was trained on what."""

    task: str  # classification, multilabel, regression or detection
    model: str
    data: str
    names: tuple[str, ...]  # of classes, labels or numbers, in the order of the outputs
    counts: Mapping[str, int] = field(default_factory=dict)  # pictures in each split, "train" among them
    threshold: float | Sequence[float] = 0.5  # from which a label is given (one, or one a label) or an object is shown

    @property
    def title(self) -> str:
        """The report's heading."""
        return f"{self.model} on {self.data}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. `metrics` and `outcomes` are those of the best checkpoint, by split ("validation", "test")."""

    monitor: str  # the metric that chose the best checkpoint, e.g. "accuracy"
    direction: str = "max"  # "max" or "min"
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    best_epoch: int | None = None  # counted as `history` counts
    checkpoint: str = ""  # where the best weights lie, from the run's folder


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the report: drawn upon already, or raw with the truth and the answer in words."""

    image: UInt8[np.ndarray, "height width 3"] | UInt8[np.ndarray, "height width"]
    caption: str = ""  # the whole caption, where true and predicted do not say it
    true: str = ""
    predicted: str = ""
    probability: float | None = None  # of what was predicted, 0 to 1


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a report, each list in the order shown."""

    batch: Sequence[Picture] = ()  # as the network sees them: augmented, with labels
    mistakes: Sequence[Picture] = ()  # the worst first
    confident: Sequence[Picture] = ()  # right, and surest first
    split: str = "validation"  # where mistakes and confident ones come from


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a person should know: what Osler decided or could not do, and the pictures that were left out."""

    notes: Sequence[str] = ()
    skipped: Sequence[Skipped] = ()


@dataclass(frozen=True, slots=True)
class ReportContent:
    """Everything that `write_report` shows. What is empty is left out of the page.

    `history` has a row for each epoch: "epoch" (counted from 1), "train.loss", "validation.loss",
    "validation.<metric>", "lr", "seconds", "images_per_second"; any may be missing. `timing` and `environment` are
    shown as they are, numbers in `timing` being seconds unless their key says otherwise ("images per second").
    """

    subject: Subject
    result: Result
    history: Sequence[Mapping[str, float]] = ()
    pictures: Pictures = Pictures()
    recipe: Sequence[tuple[str, Any, Origin]] = ()  # as `ResolvedRecipe.rows` gives them
    timing: Mapping[str, float | str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    remarks: Remarks = Remarks()
    findings: Sequence[Finding] = ()  # of the doctor that watched, in the order in which it tells them
    healing: Sequence[TriedChange] = ()  # of the recipe before the training, in the order in which they were tried

    @property
    def studied(self) -> str | None:
        """The split shown in detail: validation where there is one, so that nobody tunes upon the test set."""
        outcomes = self.result.outcomes
        return "validation" if "validation" in outcomes else next(iter(outcomes), None)

    @property
    def judged(self) -> str | None:
        """The split of the headline: the test set where there is one."""
        metrics = self.result.metrics
        return "test" if "test" in metrics else "validation" if "validation" in metrics else next(iter(metrics), None)
