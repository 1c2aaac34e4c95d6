"""Kinds of dropout that torch lacks: as first published, Gaussian, and uniform. `torch.nn.Dropout` is the usual,
inverted kind.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class OriginalDropout(nn.Module):
    """Dropout as first published: units are zeroed in training, and weighted by the keep probability in evaluation.

    `torch.nn.Dropout` divides by the keep probability in training instead and is the identity in evaluation; the
    expectations differ by that constant factor only.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting", section 4.

    Raises:
        ValueError: `p` is not in [0, 1).
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = _drop_probability(p)

    def forward(self, x: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
        """Zeros where a coin falls in training; (1 - p) x in evaluation."""
        if self.training:
            return x * torch.empty_like(x).bernoulli_(1 - self.p)
        return x * (1 - self.p)

    def extra_repr(self) -> str:
        """The drop probability."""
        return f"p={self.p}"


class GaussianDropout(nn.Module):
    """Multiplies by noise from N(1, p / (1 - p)): mean and variance are those of inverted dropout, no unit is ever
    silent.

    The identity in evaluation. Source: Srivastava et al. 2014, section 10 (there with the keep probability: N(1, (1 -
    p) / p)).

    Raises:
        ValueError: `p` is not in [0, 1).
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = _drop_probability(p)

    @property
    def noise_std(self) -> float:
        """The standard deviation of the factor: sqrt(p / (1 - p))."""
        return (self.p / (1 - self.p)) ** 0.5

    def forward(self, x: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
        """X times noise in training, x in evaluation."""
        if not self.training or self.p == 0:
            return x
        return x * torch.empty_like(x).normal_(1, self.noise_std)

    def extra_repr(self) -> str:
        """The drop probability of the dropout that it resembles."""
        return f"p={self.p}"


class UniformDropout(nn.Module):
    """Uout: multiplies by 1 + r with r uniform in [-beta, beta]. The identity in evaluation.

    It shifts the variance between training and evaluation far less than dropout does, so that batch norm after it
    keeps its statistics. Source: Li et al. 2018, "Understanding the disharmony between dropout and batch
    normalization by variance shift", the second of its strategies (a more variance-stable dropout).

    Raises:
        ValueError: `beta` is not in [0, 1].
    """

    def __init__(self, beta: float = 0.1) -> None:
        super().__init__()
        if not 0 <= beta <= 1:
            raise ValueError(
                f"UniformDropout's beta must be from 0 to 1, given {beta}: beyond 1 it turns signs around."
            )
        self.beta = beta

    def forward(self, x: Float[Tensor, " *shape"]) -> Float[Tensor, " *shape"]:
        """X times noise in training, x in evaluation."""
        if not self.training or self.beta == 0:
            return x
        return x * torch.empty_like(x).uniform_(1 - self.beta, 1 + self.beta)

    def extra_repr(self) -> str:
        """Half the width of the noise."""
        return f"beta={self.beta}"


def _drop_probability(p: float) -> float:
    if not 0 <= p < 1:
        raise ValueError(f"A drop probability must be at least 0 and below 1, given {p}.")
    return p
