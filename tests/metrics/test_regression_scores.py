import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.metrics.regression import RegressionScores


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1000))
def test_equal_to_sklearns_for_each_output(seed, scale):
    rng = np.random.default_rng(seed)
    truth, answers = (rng.normal(size=(2, 30, 3)) * scale + scale).astype(np.float32)
    scores = RegressionScores(answers, truth, ("a", "b", "c"))
    ask = {"y_true": truth.astype(np.float64), "y_pred": answers.astype(np.float64), "multioutput": "raw_values"}
    assert np.allclose(scores.mae(), reference.mean_absolute_error(**ask))
    assert np.allclose(scores.rmse(), reference.root_mean_squared_error(**ask))
    assert np.allclose(scores.r2(), reference.r2_score(**ask))
    assert np.allclose(scores.median_absolute_error(), reference.median_absolute_error(**ask))
    assert scores.values() == pytest.approx(
        {"mae": scores.mae().mean(), "rmse": scores.rmse().mean(), "r2": scores.r2().mean()}
    )


def test_one_constant_target_is_explained_only_when_met():
    truth = np.array([[2.0, 2.0]] * 3)
    scores = RegressionScores(np.array([[2.0, 2.5]] * 3), truth, ("met", "missed"))
    assert scores.r2().tolist() == [1, 0]
    assert scores.per_output()[1] == {"name": "missed", "mae": 0.5, "rmse": 0.5, "r2": 0, "median_absolute_error": 0.5}


def test_small_differences_of_large_numbers_survive():
    truth = np.array([[1e7], [1e7 + 1], [1e7 + 2]], dtype=np.float32)
    assert RegressionScores(truth + 1, truth, ("x",)).r2()[0] == pytest.approx(-0.5)
