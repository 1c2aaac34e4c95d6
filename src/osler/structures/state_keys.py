"""Whether the tensors of a file are those of a model: what is missing, unexpected, or of another shape."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from osler.structures.errors import CheckpointError

SHOWN = 4  # keys of each kind that the message names


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
    parts = [
        f"{len(keys)} {word} ({', '.join(keys[:SHOWN])}{', ...' if keys[SHOWN:] else ''})"
        for keys, word in lists
        if keys
    ]
    if parts:
        raise CheckpointError(f"{what} is of another model: {'; '.join(parts)}. Nothing was loaded.")
