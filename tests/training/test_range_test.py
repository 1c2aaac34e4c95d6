"""The learning-rate range test on problems whose best rate is known, and on digits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.training.range_test import range_test, suggest


def quadratic(curvature: float) -> object:
    """Gradient descent on curvature / 2 w^2: it diverges from a rate of 2 / curvature."""
    state = {"w": 1.0}

    def step(lr: float) -> float:
        loss = 0.5 * curvature * state["w"] ** 2 + 0.1
        state["w"] -= lr * curvature * state["w"]
        return loss

    return step


@pytest.mark.craft("OP14")
@settings(max_examples=30)
@given(curvature=st.floats(0.1, 1000))
def test_the_suggestion_is_stable_and_not_idle(curvature: float) -> None:
    found = range_test(quadratic(curvature), low=1e-5 / curvature, high=1e3 / curvature, steps=200)
    assert found.diverged_at is not None
    assert found.diverged_at > 2 / curvature
    assert 0.001 / curvature < found.suggestion < 2 / curvature


def test_it_stops_where_the_loss_flies_away_or_is_no_number() -> None:
    calls = []

    def step(lr: float) -> float:
        calls.append(lr)
        return math.nan if lr > 1e-3 else 1.0 - len(calls) / 100

    found = range_test(step, low=1e-5, high=1.0, steps=50)
    assert found.diverged_at == calls[-1]
    assert len(found.lrs) == len(found.losses) == len(calls) - 1 < 49
    assert np.isfinite(found.losses).all()
    assert found.suggestion < 1e-3


def test_a_loss_that_never_falls_gets_the_lowest_rate_and_says_so() -> None:
    losses = iter(np.linspace(1, 2, 50))
    found = range_test(lambda lr: float(next(losses)), low=1e-5, high=1.0, steps=50)
    assert found.suggestion == pytest.approx(1e-5)
    assert "fell at no learning rate" in found.reason
    first = range_test(lambda lr: math.nan, low=1e-5, high=1.0, steps=50)
    assert first.suggestion == 1e-5
    assert "from the start" in first.reason


def test_negative_losses_are_borne() -> None:
    losses = iter([*np.linspace(-1, -5, 40), *np.linspace(-5, 100, 20)])
    found = range_test(lambda lr: float(next(losses)), low=1e-5, high=1.0, steps=60)
    assert found.diverged_at is not None
    assert len(found.losses) > 40


def test_the_two_rules_of_the_suggestion() -> None:
    lrs = np.geomspace(1e-4, 1, 81)
    early = 1 / (1 + np.exp(4 * (np.log10(lrs) + 2.5)))  # steepest at 10^-2.5, least at 1
    assert suggest(lrs, early) == (pytest.approx(10**-2.5, rel=0.1), "where the smoothed loss falls most steeply")
    late = np.where(lrs <= 1e-1, 1 - 0.1 * np.log10(lrs / 1e-4) ** 3, 9.0)  # steepest just before its least at 0.1
    rate, reason = suggest(lrs, late)
    assert rate == pytest.approx(1e-2)
    assert reason.startswith("a tenth of 0.1")


@pytest.mark.parametrize("values", [{"low": 0.0}, {"low": 1.0, "high": 0.1}, {"high": math.inf}, {"steps": 3}])
def test_impossible_ranges_are_refused(values: dict) -> None:
    with pytest.raises(ValueError, match="range test needs"):
        range_test(lambda lr: 1.0, **values)
