"""Several runs as one model: an ensemble's artefact, and the guard that no member is judged on pictures it has learnt."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from osler.data.opening import open_data
from osler.data.source import DataSet
from osler.models.ensemble import Ensemble, Rescaled
from osler.structures.errors import DataError, RecipeError
from osler.tasks.task import Task
from osler.training.artefact import Artefact
from osler.training.run_folder import RunFolder
from osler.verbs.loading import PROBLEMS, load_trained

Runs = str | Path | Sequence[str | Path]


def run_paths(runs: Runs) -> list[str | Path]:
    """One run or several, as a list.

    Raises:
        RecipeError: none is named.
    """
    paths = [runs] if isinstance(runs, (str, Path)) else list(runs)
    if not paths:
        raise RecipeError("Name at least one run.")
    return paths


def load_runs(runs: Runs, *, model: nn.Module | None = None, task: Task | None = None) -> Artefact:
    """The best weights of a run; of several runs, the ensemble that averages what they predict.

    The members may be different networks with other channel statistics, and for numbers with other scales: each sees and says in
    its own units. A `model` that was passed in Python is filled once for each run; so is its `task` taken for all.

    Raises:
        NoRunError, CheckpointError: a run cannot be used.
        RecipeError: the runs do not answer the same question about the same pictures.
    """
    paths = run_paths(runs)
    if len(paths) == 1:
        return load_trained(paths[0], model=model, task=task)
    members = [load_trained(path, model=copy.deepcopy(model), task=task) for path in paths]
    first = members[0]
    if first.task.name not in PROBLEMS:
        raise RecipeError(
            f"Only the tasks {', '.join(PROBLEMS)} are answered by several runs together; these are for {first.task.name}."
        )
    for path, other in zip(paths[1:], members[1:], strict=True):
        _refuse_strangers(first, other, paths[0], path)
    networks = [_in_units_of(first, member) for member in members]
    ensemble = Ensemble(networks, problem=PROBLEMS[first.task.name]).eval()  # type: ignore[arg-type]
    # Members that look at the mirror image do so themselves.
    preprocessing = replace(first.preprocessing, mirror=False)
    return Artefact(ensemble, preprocessing, first.task, {"name": None, "class": "Ensemble"}, {"members": len(members)})


def refuse_learnt_pictures(runs: Runs, split: str) -> None:
    """Before an ensemble is judged on its runs' own data: they must all have held out the same pictures.

    Runs with different seeds divide their data differently, so that what one holds out another has learnt.

    Raises:
        DataError: they have not; the message says what to do.
    """
    paths = run_paths(runs)
    if len(paths) == 1 or split in ("train", "all"):
        return
    held = []
    for path in paths:
        recipe = RunFolder.existing(path).recipe().recipe
        source = open_data(recipe.data, recipe.seed)
        held.append(source.test if split == "test" else source.validation)
    for path, other in zip(paths[1:], held[1:], strict=True):
        if not _same_pictures(held[0], other):
            raise DataError(
                f"{paths[0]} and {path} held out different pictures for {split}: what one is judged on, the other has learnt. Name "
                "data that neither has seen: evaluate(runs, data=...), or train them on data that brings its own validation set."
            )


def _refuse_strangers(first: Artefact, other: Artefact, path: Any, of: Any) -> None:
    mine, theirs = first.preprocessing, other.preprocessing
    pairs: dict[str, tuple[Any, Any]] = {
        "task": (first.task.name, other.task.name),
        "names": (mine.names, theirs.names),
        "threshold": (first.task.thresholds.tolist(), other.task.thresholds.tolist()),
        **{key: (getattr(mine, key), getattr(theirs, key)) for key in ("size", "channels", "fit", "crop_fraction")},
    }
    for what, (a, b) in pairs.items():
        if a != b:
            raise RecipeError(
                f"{path} and {of} cannot answer together: their {what} differs ({_words(a)} and {_words(b)}). "
                "Train the members of an ensemble with the same task and the same size and fit of the pictures."
            )


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _in_units_of(first: Artefact, member: Artefact) -> nn.Module:
    """The member's network behind the first one's standardisation of pictures, and of numbers."""
    mine, theirs = first.preprocessing, member.preprocessing
    inputs = _change(mine.mean, mine.std, theirs.mean, theirs.std)
    outputs = ([1.0], [0.0])
    if first.task.name == "regression":
        a, b = first.task.facts(), member.task.facts()
        outputs = _change(b["mean"], b["std"], a["mean"], a["std"])
    if all(s == 1 for s in (*inputs[0], *outputs[0])) and not any((*inputs[1], *outputs[1])):
        return member.model
    return Rescaled(member.model, inputs=inputs, outputs=outputs).eval()


def _change(mean: Any, std: Any, new_mean: Any, new_std: Any) -> tuple[list[float], list[float]]:
    """Scale and shift from values standardised by one mean and spread to values standardised by another."""
    scale = [s / n for s, n in zip(std, new_std, strict=True)]
    return scale, [(m - n) / s for m, n, s in zip(mean, new_mean, new_std, strict=True)]


def _same_pictures(first: DataSet | None, other: DataSet | None) -> bool:
    if first is None or other is None or len(first) != len(other):
        return first is other
    if not np.array_equal(first.targets, other.targets):
        return False
    return all(_same_picture(first, other, i) for i in range(len(first)))


def _same_picture(first: DataSet, other: DataSet, index: int) -> bool:
    if first.path(index) or other.path(index):
        return first.path(index) == other.path(index)
    return np.array_equal(first[index].image, other[index].image)
