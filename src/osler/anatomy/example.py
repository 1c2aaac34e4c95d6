"""What a network is called with: a picture by its shape alone, or a person's own inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from osler.structures.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Example:
    """What the network is called with: shapes alone, or a person's own inputs."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    own: bool = False  # the person's, not to be repeated into a batch

    @property
    def picture(self) -> Tensor:
        """The first tensor: what is seen."""
        return next(t for t in (*self.args, *self.kwargs.values()) if isinstance(t, Tensor))


def example_of(input_size: Sequence[int], inputs: Any, dtype: torch.dtype = torch.float32) -> Example:
    """A picture of that size, or what the person gave.

    Raises:
        RecipeError: there is no tensor in it.
    """
    if inputs is None:
        return Example((torch.empty(1, *input_size, dtype=dtype, device="meta"),), {})
    if isinstance(inputs, Mapping):
        example = Example((), dict(inputs), own=True)
    else:
        example = Example(tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,), {}, own=True)
    if not any(isinstance(t, Tensor) for t in (*example.args, *example.kwargs.values())):
        raise RecipeError("The inputs of an inspection hold at least one tensor; give input_size for a picture alone.")
    return example


def placed(example: Example, device: str, batch: int = 1) -> Example:
    """The example on a device: as shapes, or with numbers; noise from a generator of its own where it had none."""

    def move(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        shape = value.shape if example.own else (batch, *value.shape[1:])
        if device == "meta":
            return torch.empty(shape, dtype=value.dtype, device="meta")
        if not value.is_meta:
            return value.to(device)
        return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device, value.dtype)

    return Example(tuple(map(move, example.args)), {k: move(v) for k, v in example.kwargs.items()}, example.own)


def sides_of(model: nn.Module, picture: Tensor) -> tuple[int, ...]:
    """The dimensions of an input that are a picture's sides, or a sequence's positions."""
    if picture.ndim >= 4:
        return tuple(range(2, picture.ndim))
    if picture.ndim == 3:
        return (2,) if any(isinstance(m, nn.Conv1d) for m in model.modules()) else (1,)
    return (1,) if picture.ndim == 2 and not picture.is_floating_point() else ()
