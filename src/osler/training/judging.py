"""Can a training be judged as its recipe says? Found out before the first update."""

import warnings
from collections.abc import Iterator
from itertools import islice

import torch

from osler.data.loader import Loader
from osler.structures.batch import Batch
from osler.structures.errors import OslerError, RecipeError
from osler.training.evaluation import evaluate
from osler.training.state import Training


def check_judging(training: Training) -> None:
    """Refuses what waits for a validation where there is none, and a metric that the task does not have.

    Raises:
        RecipeError: what cannot be, and what can.
    """
    section = training.recipe.recipe.train
    if training.validation_loader is None:
        waiting = {
            f"train.patience={section.patience}": section.patience > 0,
            "train.schedule=plateau": section.schedule == "plateau",
            f"train.monitor={section.monitor}": section.monitor != "auto",
        }
        if any(waiting.values()):
            raise RecipeError(
                f"There are no validation pictures, so that {' and '.join(w for w, is_so in waiting.items() if is_so)} would "
                "wait for ever. Set data.validation=0.2, or leave it out."
            )
    elif section.monitor not in ("auto", training.task.monitor):
        names = _metrics_of(training, training.validation_loader)
        if names and section.monitor not in names:
            raise RecipeError(
                f"train.monitor={section.monitor} is no metric of {training.task.name}. Its metrics: {', '.join(names)}."
            )


class _First:
    """The first batch of a loader."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return 1

    def epoch(self, epoch: int) -> Iterator[Batch]:
        return islice(self.loader.epoch(epoch), 1)


def _metrics_of(training: Training, loader: Loader) -> list[str]:
    """What a validation tells, by trying it on a batch; empty where a batch is too little to tell.

    No randomness is used up: the training is the same with and without.
    """
    devices = range(torch.cuda.device_count()) if training.engine.device.type == "cuda" else ()
    with training.evaluated() as model, torch.random.fork_rng(devices=devices), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of metrics that so few pictures leave undefined
        try:
            outcome = evaluate(
                model, training.task, _First(loader), engine=training.engine, standardise=training.standardise
            )
            return list(training.task.metrics(outcome) | outcome.losses)
        except OslerError:
            raise
        except Exception:  # a person's metric may want more than a batch; then the first validation tells
            return []
