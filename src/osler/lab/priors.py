"""A penalty is a prior: L1 is Laplace, L2 is Gaussian, and the penalised solution is the most probable one."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Laplace, Normal

Penalty = Literal["l1", "l2"]


def prior_of(penalty: Penalty, strength: float, noise: float) -> Distribution:
    """The prior of which `strength` times the penalty is the negative logarithm, when targets carry noise of this
    deviation.

    With the loss (y - w)^2 / 2: strength |w| belongs to Laplace(0, noise^2 / strength), strength w^2 / 2 to
    N(0, noise^2 / strength). Source: Bishop 2006, section 3.3 and 3.1.4; Tibshirani 1996, section 5.
    """
    zero = torch.zeros((), dtype=torch.float64)
    if penalty == "l1":
        return Laplace(zero, torch.tensor(noise**2 / strength, dtype=torch.float64))
    return Normal(zero, torch.tensor(noise / strength**0.5, dtype=torch.float64))


def penalised(y: Float[Tensor, " n"], penalty: Penalty, strength: float) -> Float[Tensor, " n"]:
    """The minimiser of (y - w)^2 / 2 plus the penalty: L1 moves y towards zero and stops there, L2 scales it down."""
    if penalty == "l1":
        return y.sign() * (y.abs() - strength).clamp_min(0)
    return y / (1 + strength)


def most_probable(
    y: Float[Tensor, " n"], prior: Distribution, noise: float, *, points: int = 40_001, reach: float = 4.0
) -> Float[Tensor, " n"]:
    """For each observation y = w + N(0, noise^2), the w of highest posterior probability, searched on a grid.

    Nothing here knows of a penalty: the posterior is the product of the two densities that torch gives.
    """
    grid = torch.linspace(-reach, reach, points, dtype=torch.float64)
    log_posterior = Normal(grid, torch.tensor(noise, dtype=torch.float64)).log_prob(y[:, None]) + prior.log_prob(grid)
    return grid[log_posterior.argmax(1)]


@dataclass(frozen=True, slots=True)
class PriorClaim:
    """One penalty against its prior, over observations from -3 to 3."""

    penalty: Penalty
    observed: Float[Tensor, " n"]
    penalised: Float[Tensor, " n"]
    most_probable: Float[Tensor, " n"]
    spacing: float  # of the grid that was searched

    @property
    def difference(self) -> float:
        """The largest distance between the two answers; the grid allows its spacing."""
        return float((self.penalised - self.most_probable).abs().max())

    @property
    def zeros(self) -> int:
        """How many observations became exactly zero under the penalty (observations that were zero left out)."""
        return int(((self.penalised == 0) & (self.observed != 0)).sum())


def penalty_is_prior(penalty: Penalty, *, strength: float = 0.8, noise: float = 0.7) -> PriorClaim:
    """The penalised solution and the most probable one under the penalty's prior, in one dimension."""
    observed = torch.linspace(-3, 3, 61, dtype=torch.float64)
    probable = most_probable(observed, prior_of(penalty, strength, noise), noise)
    return PriorClaim(penalty, observed, penalised(observed, penalty, strength), probable, 8 / 40_000)


def energy_gap(penalty: Penalty, *, strength: float = 0.8, noise: float = 0.7, draws: int = 50, seed: int = 0) -> float:
    """How much -log posterior and (penalised squared error) / noise^2 differ by more than a constant, in a linear
    regression.

    Both are evaluated at random weights; the result is the spread of their difference and is zero up to rounding.
    """
    generator = torch.Generator().manual_seed(seed)
    x, y, weights = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((30, 5), (30,), (draws, 5)))
    residuals = y - weights @ x.t()
    size = weights.abs().sum(1) if penalty == "l1" else weights.square().sum(1) / 2
    energy = (residuals.square().sum(1) / 2 + strength * size) / noise**2
    prior = prior_of(penalty, strength, noise)
    likelihood = Normal(torch.zeros((), dtype=torch.float64), torch.tensor(noise, dtype=torch.float64))
    log_posterior = likelihood.log_prob(residuals).sum(1) + prior.log_prob(weights).sum(1)
    difference = energy + log_posterior
    return float(difference.max() - difference.min())
