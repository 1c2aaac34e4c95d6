"""Checkpoints: the whole state of a training in one file that is always whole, and never runs code when read."""

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from osler.structures.errors import CheckpointError
from osler.structures.files import write_whole
from osler.training.recipe import ResolvedRecipe
from osler.training.recipe_file import read_text, recipe_text
from osler.training.state import Training, restore, state_of

FORMAT = 1


def save_checkpoint(training: Training, path: Path, *, names: Sequence[str] = ()) -> None:
    """Writes the state of a training to `path`, beside and renamed; `names` are those of the outputs.

    Raises:
        DiskFullError: the disk is full; the checkpoint that was there before is whole.
    """
    state = {
        "format": FORMAT,
        "recipe": recipe_text(training.recipe),
        "names": list(names),
        "state": state_of(training),
    }
    write_whole(path, lambda file: torch.save(state, file))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The contents of a checkpoint; nothing in it is executed.

    Raises:
        CheckpointError: it is missing, truncated, holds something other than plain values and tensors, or is none of ours.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns of foreign files before it refuses them
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(
            f"There is no checkpoint at {path}: the run was stopped before its first. Start it anew."
        ) from None
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} holds more than tensors and plain values, perhaps code. It was not read: only weights_only files are."
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged or truncated and cannot be read ({_first_line(error)}).") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of Osler's format {FORMAT}.")
    return content


def resume(training: Training, content: dict[str, Any]) -> None:
    """Puts a training where a checkpoint left it.

    Raises:
        CheckpointError: the checkpoint is of another model; the keys that differ are listed.
    """
    check_keys(training.model.state_dict(), content["state"]["model"], "The checkpoint")
    restore(training, content["state"])


def recipe_of(content: dict[str, Any], path: Path) -> ResolvedRecipe:
    """The recipe inside a checkpoint: exactly the one under which it was written."""
    return read_text(content["recipe"], str(path))


def check_keys(ours: Mapping[str, Any], theirs: Mapping[str, Any], what: str) -> None:
    """Raises a CheckpointError that lists what is missing, unexpected and of another shape; silent when all fits."""
    missing = [k for k in ours if k not in theirs]
    unexpected = [k for k in theirs if k not in ours]
    shapes = [
        f"{k}: {list(theirs[k].shape)}, the model has {list(v.shape)}"
        for k, v in ours.items()
        if k in theirs and isinstance(v, Tensor) and isinstance(theirs[k], Tensor) and v.shape != theirs[k].shape
    ]
    lists = [(missing, "missing"), (unexpected, "unexpected"), (shapes, "of another shape")]
    parts = [f"{len(keys)} {word} ({', '.join(keys[:4])}{', ...' if keys[4:] else ''})" for keys, word in lists if keys]
    if parts:
        raise CheckpointError(f"{what} is of another model: {'; '.join(parts)}. Nothing was loaded.")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
