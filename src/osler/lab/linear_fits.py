"""Linear regression with a squared penalty, in closed form."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Line:
    """A fitted linear function; the intercept is never penalised."""

    weights: Float[Tensor, " terms"]
    intercept: float

    def predict(self, x: Float[Tensor, "n terms"]) -> Float[Tensor, " n"]:
        """Its values at the rows of `x`."""
        return x @ self.weights + self.intercept


def ridge(x: Float[Tensor, "n terms"], y: Float[Tensor, " n"], penalty: float) -> Line:
    """Minimises ||y - Xw - c||^2 / 2n + penalty ||w||^2 / 2 by the normal equations (Hoerl and Kennard 1970)."""
    mean_x, mean_y = x.mean(0), y.mean()
    centred = x - mean_x
    gram = centred.t() @ centred / len(x) + penalty * torch.eye(x.shape[1], dtype=x.dtype)
    moment = centred.t() @ (y - mean_y) / len(x)
    weights = torch.linalg.lstsq(gram, moment[:, None], driver="gelsd").solution[:, 0]
    return Line(weights, float(mean_y - mean_x @ weights))
