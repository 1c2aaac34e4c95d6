"""Searches for hyper-parameters on two parameters and a log scale."""

import math

import numpy as np
import pytest

from osler.lab import hyperparameters as lab

SPACE = {"lr": (1e-5, 1.0), "decay": (1e-5, 1.0)}


def bowl(values: dict[str, float]) -> float:
    """Best, 0, at lr = 10^-2.3 and decay = 10^-1.1."""
    return -((math.log10(values["lr"]) + 2.3) ** 2) - 0.3 * (math.log10(values["decay"]) + 1.1) ** 2


@pytest.mark.craft("OP22")
def test_values_are_even_in_the_logarithm() -> None:
    assert lab.on_log_scale(np.array([0.0, 1.0]), SPACE) == pytest.approx({"lr": 1e-5, "decay": 1.0})
    assert lab.on_log_scale(np.array([0.5, 0.2]), SPACE) == pytest.approx({"lr": 10**-2.5, "decay": 1e-4})
    drawn = lab.random_search(bowl, SPACE, trials=500).trials
    decades = np.histogram([math.log10(t.values["lr"]) for t in drawn], bins=5, range=(-5, 0))[0]
    assert decades.min() > 70
    grid = lab.grid_search(bowl, SPACE, per_axis=4).trials
    assert len(grid) == 16
    assert sorted({round(math.log10(t.values["lr"]), 6) for t in grid}) == pytest.approx([-5, -10 / 3, -5 / 3, 0])
    assert len({t.values["lr"] for t in drawn[:16]}) == 16 > len({t.values["lr"] for t in grid}) == 4


@pytest.mark.craft("OP22")
def test_the_three_searches_on_a_bowl_and_the_bayesian_comes_closest() -> None:
    grid = lab.grid_search(bowl, SPACE)
    draws = [lab.random_search(bowl, SPACE, seed=s).best.score for s in range(20)]
    bayesian = lab.bayesian_search(bowl, SPACE, seed=0)
    assert len(grid.trials) == len(bayesian.trials) == 16
    assert bayesian.best.score > -0.05
    assert bayesian.best.score > max(grid.best.score, float(np.median(draws)))
    assert bayesian.best_so_far()[-1] == bayesian.best.score
    assert all(a <= b for a, b in zip(bayesian.best_so_far(), bayesian.best_so_far()[1:], strict=False))


def test_expected_improvement_is_the_mean_of_the_improvements() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor

    random = np.random.default_rng(0)
    places, candidates = random.random((6, 2)), random.random((40, 2))
    scores = np.sin(3 * places[:, 0]) + places[:, 1]
    fitted: list[GaussianProcessRegressor] = []
    original = GaussianProcessRegressor.predict

    def spy(self: GaussianProcessRegressor, *args: object, **options: object) -> object:
        fitted.append(self)
        return original(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GaussianProcessRegressor, "predict", spy)
        gains = lab.expected_improvement(places, scores, candidates)
    means, spreads = original(fitted[0], candidates, return_std=True)
    draws = means + spreads * random.normal(size=(200_000, 1))
    slow = np.maximum(draws - scores.max(), 0).mean(0)
    assert gains == pytest.approx(slow, abs=2e-3 * spreads.max() + 1e-3)
    assert gains.max() > 0


@pytest.mark.craft("OP22")
def test_random_search_on_the_digits_finds_a_rate_that_trains() -> None:
    found = lab.random_search(lab.digits_objective, lab.DIGITS_SPACE, trials=10)
    assert found.best.score > 0.6
    assert 0.03 < found.best.values["lr"] < 3
    assert min(t.score for t in found.trials) < 0.3


@pytest.mark.slow
@pytest.mark.craft("OP22")
def test_all_searches_find_a_rate_that_trains_on_the_digits() -> None:
    for search in (lab.grid_search, lab.random_search, lab.bayesian_search):
        assert search(lab.digits_objective, lab.DIGITS_SPACE).best.score > 0.7
