"""Files of named tensors, read without running anything that is in them: safetensors, and PyTorch's own, weights only."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from osler.structures.errors import CheckpointError

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # keys under which training scripts keep the weights


def read_torch_file(path: Path) -> Any:
    """What `torch.save` wrote: plain values and tensors, on the CPU.

    Raises:
        CheckpointError: the file is truncated or damaged, or holds something that could run code.
        FileNotFoundError: there is none.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns of foreign files before it refuses them
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} holds more than tensors and plain values, perhaps code. It was not read: only weights_only files are."
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged or truncated and cannot be read ({first_line(error)}).") from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name: a `.safetensors` file, or a state dictionary that `torch.save` wrote.

    A state that a training script wrapped, in a dictionary or in `module.` of DataParallel, is unwrapped.

    Raises:
        CheckpointError: there is no such file, it is damaged or could run code, or it holds no tensors by name.
    """
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else read_torch_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"There are no weights at {path}.") from None
    while isinstance(content, dict) and (inner := [content[w] for w in WRAPPERS if isinstance(content.get(w), dict)]):
        content = inner[0]
    tensors = {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, dict) else {}
    if not tensors:
        raise CheckpointError(f"{path} holds no tensors by name; a state dictionary is expected (model.state_dict()).")
    if all(key.startswith("module.") for key in tensors):
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged, or no safetensors file ({error}).") from None


def first_line(error: BaseException) -> str:
    """The first line of what an error says, at most 160 characters."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
