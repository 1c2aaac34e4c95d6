"""The model's artefact: weights with all that is needed to use them, in one safetensors file that holds no code."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from osler.models.registry import create_model
from osler.structures.errors import CheckpointError, OslerError
from osler.structures.files import write_whole
from osler.structures.preprocessing import Preprocessing
from osler.structures.state_keys import check_keys
from osler.tasks.building import task_from_facts
from osler.tasks.task import Task

FORMAT = "1"


@dataclass(slots=True)
class Artefact:
    """A trained model, its preprocessing, its task, and how it did."""

    model: nn.Module
    preprocessing: Preprocessing
    task: Task
    architecture: dict[str, Any]  # name, num_classes, in_channels, options: the arguments of create_model
    facts: dict[str, Any] = field(default_factory=dict)  # epoch, metrics


def save_artefact(artefact: Artefact, path: Path) -> None:
    """Writes an artefact, beside and renamed.

    Raises:
        DiskFullError: the disk is full.
    """
    # Cloned: tied weights share memory, which safetensors refuses.
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in artefact.model.state_dict().items()}
    about = {
        "format": FORMAT,
        "architecture": artefact.architecture,
        "preprocessing": artefact.preprocessing.to_dict(),
        "task": {"name": artefact.task.name, "facts": artefact.task.facts()},
        "facts": artefact.facts,
    }
    # One entry: safetensors writes several in an order that differs from process to process.
    content = save(tensors, metadata={"osler": json.dumps(about)})
    write_whole(path, lambda file: file.write(content))


def load_artefact(path: Path, model: nn.Module | None = None, *, task: Task | None = None) -> Artefact:
    """Reads an artefact; the network is made anew from its name and options, or `model` is filled; the task likewise.

    Raises:
        CheckpointError: the file is missing, damaged, not Osler's, or its weights do not fit.
        UnknownNameError: the network's name is not known (a person's own: pass `model`).
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
    except FileNotFoundError:
        raise CheckpointError(f"There are no weights at {path}.") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged, or no safetensors file ({error}).") from None
    if "osler" not in metadata:
        raise CheckpointError(f"{path} was not written by Osler: it does not say which network its weights belong to.")
    try:
        about = json.loads(metadata["osler"])
        if about["format"] != FORMAT:
            raise CheckpointError(f"{path} has Osler's format {about['format']}; this Osler reads format {FORMAT}.")
        task = task or task_from_facts(about["task"]["name"], about["task"]["facts"])
        preprocessing = Preprocessing.from_dict(about["preprocessing"])
        model = model if model is not None else build_again(about["architecture"], path)
        architecture, facts = about["architecture"], about["facts"]
    except OslerError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not describe its model as Osler does ({type(error).__name__}: {error})."
        ) from None
    check_keys(model.state_dict(), tensors, str(path))
    model.load_state_dict(tensors)
    return Artefact(model.eval(), preprocessing, task, architecture, facts)


def build_again(architecture: dict[str, Any], path: Path) -> nn.Module:
    """The network that an artefact names."""
    if architecture.get("name") is None:
        raise CheckpointError(
            f"{path} holds the weights of a module that was passed in Python ({architecture.get('class')}). Pass the module: "
            "osler.evaluate(run, model=Net()), or train with model=my_net.py:Net so that it can be made again."
        )
    return create_model(
        architecture["name"],
        num_classes=architecture["num_classes"],
        in_channels=architecture["in_channels"],
        **architecture["options"],
    )
