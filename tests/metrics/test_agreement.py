import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from osler.metrics.agreement import accuracy, balanced_accuracy, kappa, matthews, top_k_accuracy
from osler.metrics.counts import confusion_matrix

NAMES = ("a", "b", "c")
pairs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60).map(lambda p: np.array(p).T)


@pytest.mark.craft("ME02", "ME07")
@settings(max_examples=25, deadline=None)
@given(pairs)
def test_equal_to_sklearns(pair):
    truth, answers = pair
    assume(len(np.unique(pair)) > 1)
    matrix = confusion_matrix(truth, answers, NAMES)
    assert np.isclose(accuracy(matrix), reference.accuracy_score(truth, answers))
    assert np.isclose(matthews(matrix), reference.matthews_corrcoef(truth, answers))
    assert np.isclose(
        balanced_accuracy(matrix), reference.recall_score(truth, answers, labels=np.unique(truth), average="macro")
    )
    assert np.isclose(kappa(matrix), reference.cohen_kappa_score(truth, answers))


def test_agreement_that_chance_gives_is_not_praised():
    constant = confusion_matrix(np.array([0, 1, 2]), np.array([0, 0, 0]), NAMES)
    assert accuracy(constant) == balanced_accuracy(constant) == pytest.approx(1 / 3)
    assert kappa(constant) == matthews(constant) == 0
    one_class = confusion_matrix(np.zeros(4, int), np.zeros(4, int), NAMES)
    assert np.isnan(kappa(one_class))


def test_without_samples_there_is_no_accuracy():
    nothing = np.zeros(0, int)
    matrix = confusion_matrix(nothing, nothing, NAMES)
    assert np.isnan([accuracy(matrix), balanced_accuracy(matrix), kappa(matrix)]).all()
    assert np.isnan(top_k_accuracy(np.zeros((0, 3)), nothing))


@pytest.mark.craft("ME07")
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_top_k_equals_sklearns(seed, k):
    rng = np.random.default_rng(seed)
    scores, truth = rng.normal(size=(40, 7)), rng.integers(0, 7, 40)
    assert np.isclose(
        top_k_accuracy(scores, truth, k), reference.top_k_accuracy_score(truth, scores, k=k, labels=range(7))
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_top_one_is_the_accuracy_also_among_equal_scores(seed):
    rng = np.random.default_rng(seed)
    scores, truth = rng.integers(0, 3, (40, 5)).astype(np.float32), rng.integers(0, 5, 40)
    assert top_k_accuracy(scores, truth, 1) == (scores.argmax(axis=1) == truth).mean()
    assert top_k_accuracy(scores, truth, 5) == 1
