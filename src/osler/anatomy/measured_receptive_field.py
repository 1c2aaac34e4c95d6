"""The receptive field as a gradient shows it, beside the one that the arithmetic propagates.

The gradient of one position's output with respect to the picture, on a linearised network (see `linearised`), is above zero
exactly where that position looks. That proves the arithmetic: both give the same first and last pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from osler.anatomy.following import follow
from osler.anatomy.linearised import Linearised
from osler.anatomy.receptive_field import ReceptiveField, receptive_field
from osler.anatomy.stand_in import stand_in
from osler.structures.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Extent:
    """First and last pixel that a position of a layer's map sees, along each side of the picture."""

    position: tuple[int, ...]
    pixels: tuple[tuple[int, int], ...]


class _ReachedError(Exception):
    """The layer that was wanted has run; what comes after it need not."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output


def propagated(model: nn.Module, layer: str, size: Sequence[int], *, channels: int = 3) -> ReceptiveField:
    """What the positions of a module's output see, by arithmetic. Nothing after that module runs.

    Args:
        model: any network, also one without numbers.
        layer: the dotted name of a module whose output is a map.
        size: height and width of the picture.
        channels: of the picture.

    Raises:
        RecipeError: the network has no such module, or its output sees nothing of the picture.
    """
    made = stand_in(model)
    picture = torch.empty(1, channels, *size, device="meta")
    sides = range(2, picture.ndim)
    followed = follow(made, picture, sides, lambda: run_to(made, layer, picture), name=type(model).__name__)
    seen = None if followed.sees is None else receptive_field(followed.sees, size)
    if seen is None:
        raise RecipeError(f"{layer} sees nothing of the picture.")
    return seen


def measured(
    model: nn.Module, layer: str, size: Sequence[int], position: Sequence[int], *, channels: int = 3
) -> Extent:
    """What one position of a module's output sees, by the gradient on a linearised copy.

    Args:
        model: any network, also one without numbers: its weights are not used.
        layer: the dotted name of a module whose output is a map.
        size: height and width of the picture; where it should not be cut off, larger than the receptive field.
        position: row and column in the map.
        channels: of the picture.

    Raises:
        RecipeError: the network has no such module, or the position sees nothing.
    """
    made = stand_in(model, real=True)
    picture = torch.ones(1, channels, *size, dtype=torch.float64, requires_grad=True)
    with Linearised():
        output = run_to(made, layer, picture)
    place: tuple[Any, ...] = (0, slice(None), *position)
    (gradient,) = torch.autograd.grad(output[place].sum(), picture)
    seen = gradient[0].sum(0) > 0
    pixels = []
    for side in range(seen.ndim):
        others = [d for d in range(seen.ndim) if d != side]
        line = (seen.any(dim=others) if others else seen).nonzero().flatten()
        if not len(line):
            raise RecipeError(f"Position {list(position)} of {layer} sees nothing of the picture.")
        pixels.append((int(line[0]), int(line[-1])))
    return Extent(tuple(position), tuple(pixels))


def run_to(model: nn.Module, layer: str, picture: Tensor) -> Tensor:
    """The output of a module, or of the network where `layer` is empty."""

    def stop(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        raise _ReachedError(output)

    try:
        handle = model.get_submodule(layer).register_forward_hook(stop)
    except AttributeError:
        raise RecipeError(f"{type(model).__name__} has no module {layer!r}.") from None
    try:
        model(picture)
    except _ReachedError as reached:
        return reached.output
    finally:
        handle.remove()
    raise RecipeError(f"{layer} does not run when {type(model).__name__} is evaluated.")
