"""Checkpoints: the whole state of a training in one file that is always whole, and never runs code when read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from osler.structures.errors import CheckpointError
from osler.structures.files import write_whole
from osler.structures.state_keys import check_keys
from osler.structures.tensor_file import read_torch_file
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
        content = read_torch_file(path)
    except FileNotFoundError:
        raise CheckpointError(
            f"There is no checkpoint at {path}: the run was stopped before its first. Start it anew."
        ) from None
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
