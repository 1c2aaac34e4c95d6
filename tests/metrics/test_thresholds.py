import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.metrics.thresholds import at_threshold, best_threshold, best_thresholds, diagnose

RNG = np.random.default_rng(0)
TRUTH = RNG.random(4000) < 0.1
SCORES = 1 / (1 + np.exp(-(RNG.normal(size=4000) + 2.5 * TRUTH - 3)))  # positives are found, but seldom above one half

samples = st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=50).map(
    lambda rows: (np.array([r[0] for r in rows]) / 10, np.array([r[1] for r in rows]))
)


@pytest.mark.craft("ME06")
def test_a_higher_threshold_gives_precision_for_recall():
    rows = [at_threshold(SCORES, TRUTH, t) for t in (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)]
    precisions, recalls = [r.precision for r in rows], [r.recall for r in rows]
    assert precisions == sorted(precisions)
    assert recalls == sorted(recalls, reverse=True)
    assert precisions[-1] > precisions[0] + 0.3
    assert recalls[-1] < recalls[0] - 0.3


@settings(max_examples=25, deadline=None)
@given(samples)
def test_recall_never_rises_with_the_threshold(sample):
    recalls = [at_threshold(*sample, t).recall for t in np.linspace(0, 1, 21)]
    assert recalls == sorted(recalls, reverse=True)


@pytest.mark.craft("ME06")
def test_the_diagnosis_says_why_recall_is_low_and_what_threshold_would_do():
    now, better = at_threshold(SCORES, TRUTH, 0.5), best_threshold(SCORES, TRUTH)
    text = diagnose(SCORES, TRUTH, 0.5)
    assert now.precision > now.recall + 0.2
    assert f"precision is {now.precision:.2f} and recall {now.recall:.2f}" in text
    assert "misses many" in text
    assert f"threshold of {better.threshold:.2f} gives precision {better.precision:.2f}" in text


@pytest.mark.craft("ME06")
def test_the_diagnosis_knows_the_other_cases():
    assert "alarms are false" in diagnose(SCORES, TRUTH, 0.02)
    assert "above every score" in diagnose(SCORES, TRUTH, 0.9999)
    assert "No sample is positive" in diagnose(SCORES, np.zeros(4000, bool), 0.5)
    best = best_threshold(SCORES, TRUTH)
    assert "balance" in diagnose(SCORES, TRUTH, best.threshold)
    assert "No other threshold" in diagnose(SCORES, TRUTH, best.threshold)


@settings(max_examples=25, deadline=None)
@given(samples)
def test_no_threshold_beats_the_best(sample):
    scores, truth = sample
    best = best_threshold(scores, truth)
    tried = np.concatenate([np.unique(scores), np.unique(scores) - 0.05, [0.0, 0.5, 1.1]])
    assert best.f1 >= max(at_threshold(scores, truth, t).f1 for t in tried) - 1e-12


def test_the_best_threshold_lies_midway_between_two_scores():
    best = best_threshold(np.array([0.9, 0.8, 0.3, 0.1]), np.array([1, 1, 0, 0]))
    assert best.threshold == pytest.approx(0.55)
    assert (best.precision, best.recall, best.f1) == (1, 1, 1)


@pytest.mark.craft("DA16")
def test_each_label_has_a_threshold_of_its_own():
    scores = np.array([[0.9, 0.20], [0.8, 0.15], [0.4, 0.05], [0.2, 0.01]])
    truth = np.array([[1, 1], [1, 1], [0, 0], [0, 0]])
    thresholds = best_thresholds(scores, truth)
    assert thresholds.tolist() == pytest.approx([0.6, 0.1])
    assert np.array_equal(scores >= thresholds, truth.astype(bool))
