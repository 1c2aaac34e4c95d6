"""A stage that has no gradient: a scikit-learn estimator fitted on the features of the network that an earlier stage trained."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import nn

from osler.classic.estimators import build_estimator, fit
from osler.classic.head import EstimatorHead, save_estimator
from osler.data.loader import Loader
from osler.data.source import TargetKind
from osler.imaging.fit import FitTo
from osler.imaging.transform import Compose
from osler.models.head import penultimate
from osler.structures.preprocessing import Preprocessing
from osler.training.artefact import load_artefact
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
    old = training.train_loader
    loader = Loader(
        old.dataset,
        transform=Compose([FitTo(preprocessing)]),
        collate=training.task.collate,
        batch_size=old.batch_size,
        seed=training.recipe.recipe.seed,
        order="sequential",
        workers=old.workers,
        unreadable=training.recipe.recipe.data.unreadable,
    )
    with _best(training, folder) as model:
        features, targets = features_of(training, model, loader)
    estimator = build_estimator(section.name, kind, dict(section.options), training.recipe.recipe.seed)
    fit(estimator, features, targets)
    save_estimator(estimator, folder.estimator)
    return EstimatorHead(training.model, estimator, training.task.outputs)


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
