"""Ensembles: voting, weighted voting, averaging, bagging; and how the gain depends on how much members err together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.lab.plain_training import fit, mlp
from osler.lab.small_sets import digits, sine


def vote(labels: Int[Tensor, "members n"], classes: int) -> Int[Tensor, " n"]:
    """The class that most members name; of equally many votes the smallest class."""
    return weighted_vote(labels, torch.ones(len(labels), dtype=torch.float64), classes)


def weighted_vote(
    labels: Int[Tensor, "members n"], weights: Float[Tensor, " members"], classes: int
) -> Int[Tensor, " n"]:
    """The class with the largest sum of the weights of the members that name it."""
    counts = torch.zeros(labels.shape[1], classes, dtype=torch.float64)
    for named, weight in zip(labels, weights, strict=True):
        counts[torch.arange(len(named)), named] += weight
    return counts.argmax(1)


def fair_weights(accuracies: Float[Tensor, " members"]) -> Float[Tensor, " members"]:
    """log(p / (1 - p)) for members of accuracy p: the best weights of independent voters (Nitzan and Paroush 1982)."""
    p = accuracies.double().clamp(1e-3, 1 - 1e-3)
    return (p / (1 - p)).log()


def average(probabilities: Float[Tensor, "members n classes"]) -> Int[Tensor, " n"]:
    """The class of largest mean probability."""
    return probabilities.mean(0).argmax(1)


@dataclass(frozen=True, slots=True)
class MeanOfErrors:
    """The variance of the mean of several members' errors, each of variance 1."""

    members: int
    correlation: float
    theory: float  # correlation + (1 - correlation) / members
    measured: float


def variance_of_the_mean(
    *,
    members: Sequence[int] = (1, 2, 5, 10, 20),
    correlations: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    draws: int = 20_000,
    seed: int = 0,
) -> list[MeanOfErrors]:
    """Errors that share a part: 1/k if independent, no gain if equal (Hastie et al. 2009, equation 15.1)."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(draws, max(members), generator=generator, dtype=torch.float64)
    common = torch.randn(draws, 1, generator=generator, dtype=torch.float64)
    rows = []
    for rho in correlations:
        errors = rho**0.5 * common + (1 - rho) ** 0.5 * own
        rows += [MeanOfErrors(k, rho, rho + (1 - rho) / k, float(errors[:, :k].mean(1).var())) for k in members]
    return rows


@dataclass(frozen=True, slots=True)
class Combined:
    """Accuracies on held-out digits of some unequal networks and of their combinations."""

    members: tuple[float, ...]
    vote: float
    weighted_vote: float
    average: float


def combine_networks(*, samples: int = 150, members: int = 7, seed: int = 0) -> Combined:
    """Networks on bootstrap samples, every other one spoilt by training on a quarter of its rows; weights from other
    rows.
    """
    data = digits(samples + 200, seed=seed)
    x, y = data.x[:samples], data.y[:samples]
    generator = torch.Generator().manual_seed(seed)
    answers, trust = [], []
    for k in range(members):
        count = samples if k % 2 == 0 else samples // 4
        rows = torch.randint(samples, (count,), generator=generator)
        model = fit(mlp(64, 32, 10, seed=seed + k), x[rows], y[rows], epochs=40, batch=16, seed=seed + k)
        with torch.no_grad():
            answers.append(model(data.x_test).softmax(1))
            trust.append((model(data.x[samples:]).argmax(1) == data.y[samples:]).double().mean())
    probabilities = torch.stack(answers)
    labels = probabilities.argmax(2)
    right = [float((named == data.y_test).double().mean()) for named in labels]
    combined = (vote(labels, 10), weighted_vote(labels, fair_weights(torch.stack(trust)), 10), average(probabilities))
    return Combined(tuple(right), *(float((c == data.y_test).double().mean()) for c in combined))


@dataclass(frozen=True, slots=True)
class Bagged:
    """Squared bias, variance and error of single trees and of bagged trees over many training sets."""

    tree: tuple[float, float, float]
    bagged: tuple[float, float, float]


def bagging_against_one_tree(
    *, trees: int = 25, sets: int = 30, samples: int = 60, noise: float = 0.3, seed: int = 0
) -> Bagged:
    """Full regression trees on noisy sine samples: one, and the mean of `trees` on bootstrap samples (Breiman 1996)."""
    singles, bags = [], []
    truth = sine(1, test=200).y_test[:, 0].numpy()
    for s in range(sets):
        data = sine(samples, noise=noise, seed=seed * 1000 + s)
        x, y, grid = data.x.numpy(), data.y[:, 0].numpy(), data.x_test.numpy()
        rng = np.random.default_rng((seed, s))
        singles.append(_tree(x, y, grid))
        picks = [rng.integers(samples, size=samples) for _ in range(trees)]
        bags.append(np.mean([_tree(x[p], y[p], grid) for p in picks], axis=0))
    return Bagged(_parts(np.stack(singles), truth), _parts(np.stack(bags), truth))


def _tree(
    x: Float[np.ndarray, "n 1"], y: Float[np.ndarray, " n"], grid: Float[np.ndarray, "m 1"]
) -> Float[np.ndarray, " m"]:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(random_state=0).fit(x, y).predict(grid)


def _parts(fits: Float[np.ndarray, "sets m"], truth: Float[np.ndarray, " m"]) -> tuple[float, float, float]:
    bias = float(((fits.mean(0) - truth) ** 2).mean())
    return bias, float(fits.var(0).mean()), float(((fits - truth) ** 2).mean())
