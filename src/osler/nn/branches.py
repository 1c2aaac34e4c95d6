"""Parallel branches: the other way than a chain to build a network (Szegedy et al. 2014, "Going deeper", section 4)."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.structures.errors import RecipeError


class Branches(nn.Module):
    """Modules that see the same input, and whose outputs are put together along the channels.

    Args:
        branches: at least one.
        pad: outputs that are smaller than the largest get zeros around, as much on each side as can be; without it
            outputs of other sizes are refused.

    Raises:
        RecipeError: there is no branch.
    """

    def __init__(self, branches: Iterable[nn.Module], *, pad: bool = False) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.pad = pad
        if not len(self.branches):
            raise RecipeError("Parallel branches need at least one branch.")

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch sum height2 width2"]:
        """As many channels as all branches have together.

        Raises:
            RecipeError: the branches' outputs have different sizes and are not to be padded.
        """
        outputs = [branch(x) for branch in self.branches]
        sizes = [tuple(int(n) for n in y.shape[2:]) for y in outputs]  # plain numbers, also when traced
        if len(set(sizes)) > 1:
            if not self.pad:
                raise RecipeError(f"Branches gave maps of different sizes: {', '.join(f'{h}x{w}' for h, w in sizes)}.")
            largest = max(h for h, _ in sizes), max(w for _, w in sizes)
            outputs = [_padded(y, largest) for y in outputs]
        return torch.cat(outputs, dim=1)

    def extra_repr(self) -> str:
        """Whether outputs are padded."""
        return "pad=True" if self.pad else ""


def _padded(x: Float[Tensor, "batch channels height width"], size: tuple[int, int]) -> Tensor:
    down, across = size[0] - x.shape[2], size[1] - x.shape[3]
    return F.pad(x, [across // 2, across - across // 2, down // 2, down - down // 2])
