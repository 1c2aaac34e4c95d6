"""Local response normalisation as AlexNet published it (Krizhevsky, Sutskever, Hinton 2012, section 3.3)."""

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.structures.errors import RecipeError


class LocalResponseNorm(nn.Module):
    """Divides each value by (k + alpha * sum of the squares at the same place in the n maps around it) ** beta.

    PyTorch's `nn.LocalResponseNorm` takes the mean of the squares where the paper takes the sum: its alpha is n times
    this one. At the first and last maps the sum runs over the maps that there are.

    Args:
        n: maps in the sum, an odd number: the map itself and as many on either side.
        alpha: weight of the sum.
        beta: exponent.
        k: what is added, so that nothing is divided by 0.

    Raises:
        RecipeError: n is not an odd number above 0.
    """

    def __init__(self, n: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: Annotated[float, Gt(0)] = 2.0) -> None:
        super().__init__()
        if n < 1 or n % 2 == 0:
            raise RecipeError(f"Local response norm needs an odd number of maps, such as 5; given: n={n}.")
        self.n, self.alpha, self.beta, self.k = n, alpha, beta, k

    def forward(self, x: Float[Tensor, "batch channels *space"]) -> Float[Tensor, "batch channels *space"]:
        """Maps of the same shape."""
        return F.local_response_norm(x, self.n, self.alpha * self.n, self.beta, self.k)

    def extra_repr(self) -> str:
        """What `print` shows beside the name."""
        return f"n={self.n}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
