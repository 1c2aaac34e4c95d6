"""Search for hyper-parameters (row OP22): grid, random (Bergstra & Bengio 2012) and Bayesian (Snoek et al.

2012), on a log scale.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from osler.lab.small_training import mlp, train_digits
from osler.training.section import TrainSection

Space = Mapping[str, tuple[float, float]]  # name: lowest and highest value, both positive
Objective = Callable[[dict[str, float]], float]  # the larger the better
Unit = Float[np.ndarray, "trials parameters"]  # places in the unit cube, even in the logarithm


@dataclass(frozen=True, slots=True)
class Trial:
    """Values that were tried, and their score."""

    values: dict[str, float]
    score: float


@dataclass(frozen=True, slots=True)
class HyperSearch:
    """All trials of a search, in order."""

    method: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial of the highest score."""
        return max(self.trials, key=lambda t: t.score)

    def best_so_far(self) -> list[float]:
        """The highest score after each trial."""
        return list(np.maximum.accumulate([t.score for t in self.trials]))


def on_log_scale(unit: Float[np.ndarray, " parameters"], space: Space) -> dict[str, float]:
    """A place in the unit cube as values: 0 is the lowest, 1 the highest, a half their geometric mean."""
    return {name: float(low * (high / low) ** u) for u, (name, (low, high)) in zip(unit, space.items(), strict=True)}


def grid_search(objective: Objective, space: Space, *, per_axis: int = 4) -> HyperSearch:
    """Every combination of `per_axis` values of each parameter, ends included."""
    axis = np.linspace(0, 1, per_axis)
    return _run("grid", objective, space, np.array(list(product(axis, repeat=len(space)))))


def random_search(objective: Objective, space: Space, *, trials: int = 16, seed: int = 0) -> HyperSearch:
    """Independent draws, even in the logarithm: each trial has new values; a grid repeats its few."""
    return _run("random", objective, space, np.random.default_rng(seed).random((trials, len(space))))


def bayesian_search(
    objective: Objective, space: Space, *, trials: int = 16, first: int = 5, seed: int = 0
) -> HyperSearch:
    """After `first` random trials, each next one is where a Gaussian process expects the greatest improvement."""
    random = np.random.default_rng(seed)
    places = random.random((first, len(space)))
    found = list(_run("bayesian", objective, space, places).trials)
    while len(found) < trials:
        candidates = random.random((500, len(space)))
        gains = expected_improvement(places, np.array([t.score for t in found]), candidates)
        chosen = candidates[int(np.argmax(gains))]
        places = np.vstack([places, chosen])
        found += _run("bayesian", objective, space, chosen[None]).trials
    return HyperSearch("bayesian", tuple(found))


def expected_improvement(
    places: Unit, scores: Float[np.ndarray, " trials"], candidates: Unit
) -> Float[np.ndarray, " candidates"]:
    """E[max(f - best, 0)] under a Gaussian process: (m - best) Phi(z) + s phi(z), z = (m - best) / s.

    Močkus 1975; the process has a Matérn 5/2 kernel with a length for each parameter, and noise, fitted by its
    likelihood.
    """
    from scipy.stats import norm
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel

    kernel = Matern(np.ones(places.shape[1]), (0.05, 10.0), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1e-1))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # a length at its bound says that a parameter hardly matters
        process.fit(places, scores)
    means, spreads = process.predict(candidates, return_std=True)
    gains = means - scores.max()
    ratios = gains / np.maximum(spreads, 1e-12)
    return gains * norm.cdf(ratios) + spreads * norm.pdf(ratios)


def _run(method: str, objective: Objective, space: Space, places: Unit) -> HyperSearch:
    values = [on_log_scale(place, space) for place in places]
    return HyperSearch(method, tuple(Trial(v, objective(v)) for v in values))


DIGITS_SPACE = {"lr": (1e-4, 10.0), "weight_decay": (1e-6, 1.0)}


def digits_objective(values: dict[str, float], *, epochs: int = 2) -> float:
    """The accuracy on the other half of the digits after a short training with these values."""
    section = TrainSection(
        optimizer="sgd", lr=values["lr"], weight_decay=values["weight_decay"], epochs=epochs, batch_size=64
    )
    return train_digits(mlp(), section).accuracy
