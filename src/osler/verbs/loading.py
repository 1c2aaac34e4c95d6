"""A trained model from a run's folder or a weights file, ready to answer."""

from pathlib import Path

import torch
from torch import nn

from osler.classic.head import EstimatorHead, load_estimator
from osler.models.mirrored import Mirrored
from osler.training.artefact import Artefact, load_artefact
from osler.training.engine import Engine, choose_device
from osler.training.run_folder import RunFolder
from osler.training.state import Standardise

PROBLEMS = {"classification": "class", "multilabel": "labels", "regression": "numbers"}


def load_trained(path: str | Path, *, model: nn.Module | None = None) -> Artefact:
    """The best weights of a run (with its estimator, where a stage fitted one), or of a .safetensors file.

    Args:
        path: a run's folder or a file that Osler wrote.
        model: a module to fill, where the run was trained on one passed in Python.

    Raises:
        NoRunError: there is no run.
        CheckpointError: its weights are missing, damaged or of another model.
    """
    if Path(path).suffix == ".safetensors":
        return looking_twice(load_artefact(Path(path), model))
    folder = RunFolder.existing(path)
    artefact = load_artefact(folder.best, model)
    if folder.estimator.exists():
        problem = PROBLEMS[artefact.task.name]
        artefact.model = EstimatorHead(artefact.model, load_estimator(folder.estimator), problem).eval()  # type: ignore[arg-type]
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
