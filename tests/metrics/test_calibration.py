import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from osler.metrics.calibration import brier_score, log_loss, reliability

seeds = st.integers(0, 10_000)


def answers(seed, samples=200):
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(4), samples)
    return rows, rng.integers(0, 4, samples)


@pytest.mark.craft("ME07")
@settings(max_examples=25, deadline=None)
@given(seeds)
def test_log_loss_and_brier_equal_sklearns(seed):
    rows, truth = answers(seed)
    assert np.isclose(log_loss(rows, truth), reference.log_loss(truth, rows, labels=range(4)))
    ours = brier_score(rows, truth)
    assert np.isclose(ours, np.square(rows - np.eye(4)[truth]).sum(axis=1).mean())
    binary = brier_score(np.stack([1 - rows[:, 0], rows[:, 0]], axis=1), (truth == 0).astype(int))
    assert np.isclose(binary, 2 * reference.brier_score_loss(truth == 0, rows[:, 0]))


def test_an_impossible_truth_costs_much_but_not_infinitely():
    assert 15 < log_loss(np.array([[1.0, 0.0]], dtype=np.float32), np.array([1])) < 17


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_bins_equal_sklearns(seed):
    rng = np.random.default_rng(seed)
    confidence = rng.random(300)
    right = rng.random(300) < confidence
    ours = reliability(confidence, right, bins=10)
    accuracy, mean = calibration_curve(right, confidence, n_bins=10)
    assert np.allclose(ours.accuracy[ours.count > 0], accuracy)
    assert np.allclose(ours.confidence[ours.count > 0], mean)
    assert ours.count.sum() == 300


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.55, 0.55, 0.0, 1.0])
    right = np.array([True, False, True, True, False, True])
    bins = reliability(confidence, right, bins=10)
    assert bins.count.tolist() == [1, 0, 0, 0, 0, 2, 0, 0, 0, 3]
    gap = abs((0.95 + 0.95 + 1) / 3 - 2 / 3)
    assert bins.error == pytest.approx((3 * gap + 2 * 0.45 + 0) / 6)
    assert np.isnan(bins.accuracy[1])


def test_a_bin_holds_its_upper_edge():
    bins = reliability(np.array([0.5, 0.5 + 1e-9]), np.array([True, True]), bins=2)
    assert bins.count.tolist() == [1, 1]


def test_honest_probabilities_have_hardly_an_error_and_boasting_ones_have():
    rng = np.random.default_rng(0)
    confidence = rng.random(50_000)
    right = rng.random(50_000) < confidence
    assert reliability(confidence, right).error < 0.01
    assert reliability(confidence**0.2, right).error > 0.2
    assert np.isnan(reliability(confidence[:0], right[:0]).error)
