"""Generalised-mean pooling: between the average and the maximum (Radenovic, Tolias, Chum 2018, section 3.2)."""

import math
from typing import Annotated

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn


class GeneralisedMeanPool2d(nn.Module):
    """The power mean over all positions of a map: (mean of x^p)^(1/p) for each channel.

    p = 1 is the average, p towards infinity the maximum. Radenovic et al. ("Fine-tuning CNN image retrieval with no human
    annotation", IEEE TPAMI 2019, arXiv 1711.02512) learn p from 3 on. It is computed by logarithms, so that large powers
    neither overflow nor vanish.

    Args:
        p: the exponent, or what it starts from.
        channels: an exponent for each of so many channels; None: one for all of them.
        trained: whether the exponent is learnt.
        eps: inputs below it count as it. Powers need positive numbers: the layer stands behind a ReLU.
    """

    def __init__(
        self,
        p: Annotated[float, Gt(0)] = 3.0,
        *,
        channels: int | None = None,
        trained: bool = True,
        eps: Annotated[float, Gt(0)] = 1e-6,
    ) -> None:
        super().__init__()
        if not (0 < p < math.inf) or eps <= 0:
            raise ValueError(f"A generalised mean needs a finite p above 0 and eps above 0; given: p={p}, eps={eps}.")
        self.p = nn.Parameter(torch.full((channels or 1, 1, 1), float(p)), requires_grad=trained)
        self.eps = eps

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels 1 1"]:
        """The mean of each channel."""
        powers = self.p * x.clamp(min=self.eps).log()
        positions = x.shape[-2] * x.shape[-1]
        return ((powers.logsumexp((-2, -1), keepdim=True) - math.log(positions)) / self.p).exp()

    def extra_repr(self) -> str:
        """What `print` shows beside the name."""
        values = [round(float(p), 3) for p in self.p.detach().flatten()]
        return f"p={values[0] if len(values) == 1 else values}, eps={self.eps}"
