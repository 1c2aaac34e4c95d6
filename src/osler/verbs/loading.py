"""A trained model from a run's folder or a weights file, ready to answer."""

from pathlib import Path

import torch
from torch import nn

from osler.classic.head import EstimatorHead, load_estimator
from osler.models.mirrored import Mirrored
from osler.structures.preprocessing import Standardise
from osler.tasks.task import Task
from osler.training.artefact import Artefact, load_artefact
from osler.training.engine import Engine, choose_device
from osler.training.run_folder import RunFolder

PROBLEMS = {"classification": "class", "multilabel": "labels", "regression": "numbers"}


def load_trained(path: str | Path, *, model: nn.Module | None = None, task: Task | None = None) -> Artefact:
    """The best weights of a run (with its estimator, where a stage fitted one), or of a .safetensors file.

    Args:
        path: a run's folder or a file that Osler wrote.
        model: a module to fill, where the run was trained on one passed in Python.
        task: the run's task, where it was passed in Python.

    Raises:
        NoRunError: there is no run.
        CheckpointError: its weights are missing, damaged or of another model.
    """
    if Path(path).suffix == ".safetensors":
        return looking_twice(load_artefact(Path(path), model, task=task))
    folder = RunFolder.existing(path)
    artefact = load_artefact(folder.best, model, task=task)
    if folder.estimator.exists():
        artefact.model = EstimatorHead(artefact.model, load_estimator(folder.estimator), artefact.task.outputs).eval()
    return looking_twice(artefact)


def looking_twice(artefact: Artefact) -> Artefact:
    """The artefact whose model sees the mirror image as well, where its preprocessing says so."""
    if artefact.preprocessing.mirror:
        artefact.model = Mirrored(artefact.model).eval()
    return artefact


def answering_engine(artefact: Artefact, device: str = "auto") -> tuple[Engine, Standardise]:
    """The engine and the standardisation for a model's answers: float32, so that an answer does not depend on its company."""
    name = choose_device()[0] if device == "auto" else device
    engine = Engine(torch.device(name))
    engine.place(artefact.model)
    standardise = Standardise(artefact.preprocessing.mean, artefact.preprocessing.std).to(engine.device)
    return engine, standardise
