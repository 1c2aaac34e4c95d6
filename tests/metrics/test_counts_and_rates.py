"""Counts, precision, recall and F1 against scikit-learn on random labels, and where they divide by nothing."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.metrics.counts import confusion_matrix, label_counts
from osler.metrics.rates import average, f1, occurring, precision, recall
from osler.structures.errors import DataError

NAMES = ("ant", "bee", "cat", "dog")
RATES = {precision: reference.precision_score, recall: reference.recall_score, f1: reference.f1_score}
classes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60).map(
    lambda p: np.array(p).T
)
labels = st.integers(1, 40).flatmap(
    lambda n: st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=n, max_size=n).map(
        lambda rows: np.array(rows, dtype=np.int64)
    )
)


@pytest.mark.craft("ME01")
@settings(max_examples=15, deadline=None)
@given(classes)
def test_the_four_counts_equal_sklearns(pair):
    truth, answers = pair
    matrix = confusion_matrix(truth, answers, NAMES)
    assert np.array_equal(matrix.counts, reference.confusion_matrix(truth, answers, labels=range(4)))
    counts = matrix.one_against_rest()
    by_class = reference.multilabel_confusion_matrix(truth, answers, labels=range(4))
    ours = np.stack([counts.true_negatives, counts.false_positives, counts.false_negatives, counts.true_positives])
    assert np.array_equal(ours, by_class.reshape(4, 4).T)


@pytest.mark.craft("ME01")
def test_rows_say_the_truth_and_columns_the_answer():
    truth, answers = np.array([0, 0, 0, 1, 2]), np.array([0, 2, 2, 1, 2])
    matrix = confusion_matrix(truth, answers, NAMES[:3])
    assert str(matrix).splitlines() == [
        "true \\ answered  ant  bee  cat",
        "            ant    1    0    2",
        "            bee    0    1    0",
        "            cat    0    0    1",
    ]
    assert matrix.worst() == [("ant", "cat", 2)]


def test_an_index_without_a_name_is_refused():
    with pytest.raises(DataError, match=r"class index 3, but there are 3 classes"):
        confusion_matrix(np.array([0, 3]), np.array([0, 0]), NAMES[:3])
    with pytest.raises(DataError, match="answer"):
        confusion_matrix(np.array([0, 1]), np.array([0, -1]), NAMES[:3])


@pytest.mark.craft("ME03", "ME04", "ME05", "ME09")
@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=15, deadline=None)
@given(pair=classes, zero_division=st.sampled_from([0.0, 1.0]))
def test_rates_of_classes_equal_sklearns_per_class_and_averaged(rate, pair, zero_division):
    truth, answers = pair
    counts = confusion_matrix(truth, answers, NAMES).one_against_rest()
    ask = {"y_true": truth, "y_pred": answers, "zero_division": zero_division}
    theirs = RATES[rate]
    assert np.allclose(rate(counts, zero_division=zero_division), theirs(**ask, labels=range(4), average=None))
    assert np.isclose(average(rate, occurring(counts), zero_division=zero_division), theirs(**ask, average="macro"))
    for how in ("micro", "weighted"):
        assert np.isclose(average(rate, counts, how, zero_division=zero_division), theirs(**ask, average=how))


@pytest.mark.craft("ME09")
@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=15, deadline=None)
@given(both=labels)
def test_rates_of_labels_equal_sklearns_macro_micro_weighted_and_by_sample(rate, both):
    truth, answers = both[:, :3], both[:, 3:]
    counts = label_counts(truth, answers)
    for how in ("macro", "micro", "weighted"):
        assert np.isclose(average(rate, counts, how), RATES[rate](truth, answers, average=how, zero_division=0))
    by_sample = label_counts(truth, answers, by_sample=True)
    assert np.isclose(average(rate, by_sample), RATES[rate](truth, answers, average="samples", zero_division=0))


@pytest.mark.craft("ME04")
@settings(max_examples=15, deadline=None)
@given(classes)
def test_recall_is_one_where_nothing_positive_was_missed(pair):
    counts = confusion_matrix(*pair, NAMES).one_against_rest()
    found_all = (counts.false_negatives == 0) & (counts.true_positives > 0)
    assert (recall(counts)[found_all] == 1).all()
    assert (recall(counts)[counts.false_negatives > 0] < 1).all()


@pytest.mark.craft("ME05")
@settings(max_examples=15, deadline=None)
@given(classes)
def test_f1_is_the_harmonic_mean_and_lies_between(pair):
    counts = confusion_matrix(*pair, NAMES).one_against_rest()
    p, r, f = precision(counts), recall(counts), f1(counts)
    some = (p > 0) & (r > 0)
    assert np.allclose(f[some], 2 / (1 / p[some] + 1 / r[some]))
    assert (f <= np.maximum(p, r) + 1e-12).all()
    assert (f >= np.minimum(p, r) - 1e-12).all()


@pytest.mark.craft("ME03")
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_over_nothing_is_what_was_asked_for(value):
    never = label_counts(np.zeros((5, 1), int), np.zeros((5, 1), int))
    assert [float(rate(never, zero_division=value)[0]) for rate in RATES] == [value] * 3
    assert average(f1, never, "weighted", zero_division=value) == value
