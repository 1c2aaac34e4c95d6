"""A stage that has no gradient, after the one that trained the network.

Either the recipe asks for a scikit-learn estimator on the network's features, or the network has estimators of its own, as
R-CNN has, which become part of its state.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from osler.classic.estimators import build_estimator, fit
from osler.classic.head import EstimatorHead, save_estimator
from osler.data.loader import Loader
from osler.data.source import TargetKind
from osler.imaging.fit import FitTo
from osler.imaging.transform import Compose
from osler.models.head import penultimate
from osler.structures.preprocessing import Preprocessing
from osler.training.artefact import Artefact, load_artefact, save_artefact
from osler.training.run_folder import RunFolder
from osler.training.state import Training


def fit_estimator(
    training: Training, *, kind: TargetKind, preprocessing: Preprocessing, folder: RunFolder
) -> EstimatorHead:
    """Fits the recipe's estimator on the training pictures, without augmentation, and saves it into the run.

    Its features are those of the run's best weights, with which it will answer; the network ends with them. Returns the
    network with the estimator in the place of its last layer.
    """
    section = training.recipe.recipe.estimator
    loader = _plain_loader(training, preprocessing)
    with _best(training, folder) as model:
        features, targets = features_of(training, model, loader)
    estimator = build_estimator(section.name, kind, dict(section.options), training.recipe.recipe.seed)
    fit(estimator, features, targets)
    save_estimator(estimator, folder.estimator)
    return EstimatorHead(training.model, estimator, training.task.outputs)


@runtime_checkable
class FitsEstimators(Protocol):
    """A network with estimators of its own, which are fitted when its weights are trained and saved among them."""

    def fit_estimators(self, batches: Iterable[tuple[Tensor, Any]]) -> None:
        """Fits them on standardised pictures and their targets, which may be gone through several times."""
        ...


def fit_own_estimators(training: Training, *, artefact: Artefact, folder: RunFolder) -> None:
    """Fits what the network fits itself, on the training pictures without augmentation, and saves the run's best anew.

    The network ends with its best weights and with what was fitted on them. One without estimators stays as it is.
    """
    if not isinstance(training.model, FitsEstimators):
        return
    pictures = _Pictures(training, _plain_loader(training, artefact.preprocessing))
    if folder.best.exists():
        best = load_artefact(folder.best, training.model, task=training.task)
        training.model.fit_estimators(pictures)
        save_artefact(best, folder.best)
        return
    with training.shipped() as model:  # no epoch could be judged
        training.model.fit_estimators(pictures)
        save_artefact(replace(artefact, model=model), folder.best)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The training pictures as the network takes them, each time from the first."""

    training: Training
    loader: Loader

    def __iter__(self) -> Iterator[tuple[Tensor, Any]]:
        for batch in self.loader.epoch(0):
            prepared = self.training.prepare(batch)
            yield prepared.images, prepared.target


def _plain_loader(training: Training, preprocessing: Preprocessing) -> Loader:
    """The training pictures in their order, without augmentation."""
    old = training.train_loader
    return Loader(
        old.dataset,
        transform=Compose([FitTo(preprocessing)]),
        collate=training.task.collate,
        batch_size=old.batch_size,
        seed=training.recipe.recipe.seed,
        order="sequential",
        workers=old.workers,
        unreadable=training.recipe.recipe.data.unreadable,
    )


def _best(training: Training, folder: RunFolder) -> AbstractContextManager[nn.Module]:
    """The network with its best weights. Where an average of weights is kept, these are averaged already."""
    if folder.best.exists():
        return nullcontext(load_artefact(folder.best, training.model, task=training.task).model)
    return training.shipped()  # no epoch could be judged


def features_of(training: Training, model: nn.Module, loader: Loader) -> tuple[np.ndarray, np.ndarray]:
    """What comes to the network's last layer for every picture, and the targets in the terms of raw outputs."""
    features, targets = [], []
    with torch.inference_mode():
        for batch in loader.epoch(0):
            batch = training.prepare(batch)
            with training.engine.autocast():
                features.append(penultimate(model, batch.images).float().cpu().numpy())
            targets.append(training.task.raw_targets(batch.target).cpu().numpy())
    return np.concatenate(features), np.concatenate(targets)
