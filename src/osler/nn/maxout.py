"""Maxout: the largest of several linear functions, an activation that is learnt (Goodfellow et al. 2013)."""

from jaxtyping import Float
from torch import Tensor, nn

from osler.structures.errors import RecipeError


class Maxout(nn.Module):
    """A layer with `pieces` times the outputs, of which the largest of each `pieces` is kept.

    The result is convex and piecewise linear in the input; enough pieces come as near to any convex function as one
    likes, and two give |x| and ReLU exactly (Goodfellow et al. 2013, "Maxout networks", section 3).

    Args:
        layer: gives `pieces` times as many channels (dimension 1) as are kept: `nn.Linear`, `nn.Conv2d`, ...
        pieces: linear functions per output, at least 1.

    Raises:
        RecipeError: `pieces` is below 1.
    """

    def __init__(self, layer: nn.Module, pieces: int = 2) -> None:
        super().__init__()
        if pieces < 1:
            raise RecipeError(f"Maxout needs at least one piece; given: {pieces}.")
        self.layer, self.pieces = layer, pieces

    def forward(self, x: Float[Tensor, "batch channels *size"]) -> Float[Tensor, "batch kept *size"]:
        """The largest piece of every output."""
        y = self.layer(x)
        if y.shape[1] % self.pieces:
            raise RecipeError(f"Maxout's layer gives {y.shape[1]} channels, which {self.pieces} pieces do not divide.")
        return y.unflatten(1, (y.shape[1] // self.pieces, self.pieces)).amax(dim=2)

    def extra_repr(self) -> str:
        """The number of pieces."""
        return f"pieces={self.pieces}"
