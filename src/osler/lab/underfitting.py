"""Remedies for under-fitting, measured: more terms, units and layers, a smaller penalty, new features."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from osler.lab.fitting import least_squares, powers
from osler.lab.linear_fits import ridge
from osler.lab.plain_training import accuracy_of, adam, fit, loss_of, mlp, seeded
from osler.lab.small_sets import sine


@dataclass(frozen=True, slots=True)
class Remedied:
    """A training loss before and after one change."""

    remedy: str
    before: float
    after: float


def term_errors(degrees: Sequence[int] = (1, 2, 5), *, samples: int = 200, seed: int = 0) -> dict[int, float]:
    """Mean squared training error of polynomials of each degree on three quarters of a sine's period.

    Three quarters, because over a whole period the sine is odd and a square has nothing to add.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(samples, generator=generator, dtype=torch.float64) * 1.5 - 0.5
    y = torch.sin(torch.pi * x)
    return {d: float((powers(x, d) @ least_squares(powers(x, d), y) - y).square().mean()) for d in degrees}


def layer_errors(
    shapes: Sequence[tuple[int, ...]] = ((4,), (16,), (16, 16)), *, epochs: int = 600, seed: int = 0
) -> dict[tuple[int, ...], float]:
    """Mean squared training error of networks with these hidden layers on three periods of a sine, after equally many
    steps.
    """
    data = sine(200, noise=0.0, periods=3.0, seed=seed)
    x, y = data.x.float(), data.y.float()
    found = {}
    for hidden in shapes:
        model = mlp(1, *hidden, 1, activation=torch.nn.Tanh, seed=seed)
        fit(model, x, y, epochs=epochs, batch=0, optimizer=adam(2e-2), loss=functional.mse_loss, seed=seed)
        found[hidden] = loss_of(model, x, y, functional.mse_loss)
    return found


def penalty_errors(
    penalties: Sequence[float] = (10.0, 1.0, 0.1, 1e-2, 1e-3, 0.0), *, degree: int = 5, seed: int = 0
) -> dict[float, float]:
    """Mean squared training error of a ridge polynomial on a sine, for each penalty."""
    data = sine(100, noise=0.1, seed=seed)
    columns, y = powers(data.x[:, 0], degree)[:, 1:], data.y[:, 0]
    found = {}
    for penalty in penalties:
        line = ridge(columns, y, penalty)
        found[penalty] = float((line.predict(columns) - y).square().mean())
    return found


@dataclass(frozen=True, slots=True)
class CrossedFeature:
    """Accuracies of one linear classifier on XOR without and with the product of its two inputs."""

    without: float
    with_product: float
    weights: tuple[float, float, float]  # of x1, x2 and x1 x2


def crossed_feature(*, epochs: int = 200, seed: int = 0) -> CrossedFeature:
    """XOR of two signs by logistic regression: impossible on (x1, x2), solved by the crossed feature x1 x2."""
    x = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    y = torch.tensor([0, 1, 1, 0])
    crossed = torch.cat([x, x[:, :1] * x[:, 1:]], dim=1)
    accuracies, model = [], nn.Linear(3, 2)
    for columns in (x, crossed):
        with seeded(seed):
            model = nn.Linear(columns.shape[1], 2)
        fit(model, columns, y, epochs=epochs, batch=0, optimizer=adam(5e-2), seed=seed)
        accuracies.append(accuracy_of(model, columns, y))
    of_x1, of_x2, of_product = (model.weight[1] - model.weight[0]).tolist()
    return CrossedFeature(accuracies[0], accuracies[1], (of_x1, of_x2, of_product))


def underfitting_remedies(*, seed: int = 0) -> list[Remedied]:
    """One row for each remedy: the training error (for the crossed feature: the share of mistakes) before and after."""
    terms, layers = term_errors(seed=seed), layer_errors(seed=seed)
    penalties, crossed = penalty_errors(seed=seed), crossed_feature(seed=seed)
    return [
        Remedied("higher-order terms (degree 1 to 5)", terms[1], terms[5]),
        Remedied("more units (4 to 16)", layers[(4,)], layers[(16,)]),
        Remedied("more layers (1 to 2)", layers[(16,)], layers[(16, 16)]),
        Remedied("smaller penalty (10 to 0)", penalties[10.0], penalties[0.0]),
        Remedied("crossed feature x1 x2", 1 - crossed.without, 1 - crossed.with_product),
    ]
