"""Weights that are used more than once: a decoder that is its encoder's transpose, a layer applied several times."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class TransposedLinear(nn.Module):
    """The transpose of a linear layer, with a bias of its own: y = x W + c, where the other computes x W^T + b.

    The weight is the other layer's: it is counted once by `parameters()` of a model that holds both, and its gradient
    is the sum of what both uses ask for.
    """

    def __init__(self, of: nn.Linear) -> None:
        super().__init__()
        self.weight = of.weight
        self.bias = nn.Parameter(torch.zeros(of.in_features, dtype=of.weight.dtype, device=of.weight.device))

    def forward(self, x: Float[Tensor, "*batch outputs"]) -> Float[Tensor, "*batch inputs"]:
        """From the other layer's outputs back to its inputs' size."""
        return functional.linear(x, self.weight.t(), self.bias)


class TiedAutoencoder(nn.Module):
    """An autoencoder of one hidden layer whose decoder is W^T: half the weights of one with two matrices.

    Source: Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders", section 2.2.
    """

    def __init__(
        self, inputs: int, hidden: int, *, activation: Callable[[Tensor], Tensor] = torch.sigmoid, tied: bool = True
    ) -> None:
        super().__init__()
        self.encoder = nn.Linear(inputs, hidden)
        self.decoder: nn.Module = TransposedLinear(self.encoder) if tied else nn.Linear(hidden, inputs)
        self.activation = activation

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch inputs"]:
        """The reconstruction, before any output non-linearity."""
        return self.decoder(self.encode(x))

    def encode(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch hidden"]:
        """The code."""
        return self.activation(self.encoder(x))


class Repeated(nn.Module):
    """One layer applied `times` times: its parameters exist once, and their gradient is the sum over the uses.

    The layer's outputs must have the size of its inputs.
    """

    def __init__(self, layer: nn.Module, times: int) -> None:
        super().__init__()
        if times < 1:
            raise ValueError(f"A layer can be repeated once or more, given times={times}.")
        self.layer = layer
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        """The layer's answer to its own answer, and so on."""
        for _ in range(self.times):
            x = self.layer(x)
        return x
