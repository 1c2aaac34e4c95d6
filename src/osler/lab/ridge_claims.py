"""What an L2 penalty does to a linear fit: calms collinear columns, trades bias for variance, equals a constraint."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from osler.lab.fitting import powers
from osler.lab.linear_fits import Line, ridge


@dataclass(frozen=True, slots=True)
class Collinearity:
    """Over bootstraps: the variance of the two collinear columns' weights (summed), their mean, for one penalty."""

    penalty: float
    variance: float
    mean: tuple[float, float]
    shrinkage: float  # mean length of the weights


def ridge_under_collinearity(
    penalties: Sequence[float] = (0.0, 1e-3, 1e-2, 1e-1),
    *,
    correlation: float = 0.999,
    samples: int = 60,
    bootstraps: int = 200,
    seed: int = 0,
) -> list[Collinearity]:
    """Ridge regression on two nearly equal columns (true weights 1 and 1, noise 0.5) over bootstrap samples.

    Source: Hoerl and Kennard 1970, "Ridge regression: biased estimation for nonorthogonal problems".
    """
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randn(samples, 3, generator=generator, dtype=torch.float64)
    x = torch.stack([draws[:, 0], correlation * draws[:, 0] + (1 - correlation**2) ** 0.5 * draws[:, 1]], dim=1)
    y = x.sum(1) + 0.5 * draws[:, 2]
    picks = torch.randint(samples, (bootstraps, samples), generator=generator)
    rows = []
    for penalty in penalties:
        weights = torch.stack([ridge(x[p], y[p], penalty).weights for p in picks])
        mean = weights.mean(0)
        spread = float(weights.var(0).sum())
        rows.append(Collinearity(penalty, spread, (float(mean[0]), float(mean[1])), float(weights.norm(dim=1).mean())))
    return rows


@dataclass(frozen=True, slots=True)
class BiasVariance:
    """Errors of a fit over many training sets, averaged over the test points; total = squared bias + variance."""

    penalty: float
    squared_bias: float
    variance: float
    total: float  # mean squared distance of the fits from the noiseless truth


def bias_variance_curve(
    penalties: Sequence[float] = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    *,
    degree: int = 9,
    samples: int = 25,
    noise: float = 0.3,
    sets: int = 200,
    seed: int = 0,
) -> list[BiasVariance]:
    """Ridge polynomials fitted to many noisy sets from one sine: bias and variance for each penalty.

    Source: Geman, Bienenstock and Doursat 1992, "Neural networks and the bias/variance dilemma", section 3.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.linspace(-1, 1, samples, dtype=torch.float64)
    grid = torch.linspace(-1, 1, 101, dtype=torch.float64)
    truth = torch.sin(torch.pi * grid)
    targets = torch.sin(torch.pi * x) + noise * torch.randn(sets, samples, generator=generator, dtype=torch.float64)
    columns, at = powers(x, degree)[:, 1:], powers(grid, degree)[:, 1:]
    curve = []
    for penalty in penalties:
        fits = torch.stack([ridge(columns, y, penalty).predict(at) for y in targets])
        bias = float((fits.mean(0) - truth).square().mean())
        variance = float(fits.var(0, correction=0).mean())
        curve.append(BiasVariance(penalty, bias, variance, float((fits - truth).square().mean())))
    return curve


@dataclass(frozen=True, slots=True)
class TwoForms:
    """One solution, found under a penalty and under a constraint."""

    penalty: float
    radius: float  # length of the penalised solution
    penalised: Float[Tensor, " terms"]
    constrained: Float[Tensor, " terms"]
    recovered_penalty: float  # the multiplier that the constrained solution shows: -<gradient, w> / ||w||^2
    misalignment: float  # 1 - cosine between the loss' gradient and -w at the constrained solution

    @property
    def difference(self) -> float:
        """The largest difference between the two solutions."""
        return float((self.penalised - self.constrained).abs().max())


def penalty_and_constraint(
    penalties: Sequence[float] = (0.03, 0.1, 0.3, 1.0), *, samples: int = 50, terms: int = 6, seed: int = 0
) -> list[TwoForms]:
    """The least squared error plus penalty ||w||^2 / 2 against the least squared error within ||w|| <= radius.

    The constrained side knows only the radius: it goes down the loss' gradient and projects onto the ball. At its
    solution the gradient points against w, and their ratio is the penalty again (Karush-Kuhn-Tucker; Goodfellow et
    al. 2016, section 7.2).
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, terms, generator=generator, dtype=torch.float64)
    y = x @ torch.randn(terms, generator=generator, dtype=torch.float64)
    y = y + 0.5 * torch.randn(samples, generator=generator, dtype=torch.float64)
    x, y = x - x.mean(0), y - y.mean()
    forms = []
    for penalty in penalties:
        penalised = ridge(x, y, penalty).weights
        radius = float(penalised.norm())
        constrained = within_radius(x, y, radius)
        gradient = x.t() @ (x @ constrained - y) / samples
        pull = float(-(gradient @ constrained))
        length = float(constrained.norm())
        forms.append(
            TwoForms(
                penalty, radius, penalised, constrained, pull / length**2, 1 - pull / (float(gradient.norm()) * length)
            )
        )
    return forms


def within_radius(
    x: Float[Tensor, "n terms"], y: Float[Tensor, " n"], radius: float, *, steps: int = 2000
) -> Float[Tensor, " terms"]:
    """The weights of least squared error with ||w|| <= radius, by projected gradient descent (no intercept)."""
    gram, moment = x.t() @ x / len(x), x.t() @ y / len(x)
    rate = 1 / float(torch.linalg.eigvalsh(gram)[-1])
    weights = torch.zeros_like(moment)
    for _ in range(steps):
        weights = weights - rate * (gram @ weights - moment)
        weights = weights * min(1.0, radius / max(float(weights.norm()), 1e-12))
    return weights


def length_by_penalty(
    penalties: Sequence[float], x: Float[Tensor, "n terms"], y: Float[Tensor, " n"]
) -> dict[float, float]:
    """The length of the ridge weights for each penalty: it falls as the penalty grows."""
    lines: dict[float, Line] = {p: ridge(x, y, p) for p in penalties}
    return {p: float(line.weights.norm()) for p, line in lines.items()}
