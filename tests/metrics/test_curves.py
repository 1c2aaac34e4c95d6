import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from osler.metrics.curves import average_precision, mean_over_classes, precision_recall_curve, roc_auc, roc_curve

# Few distinct scores, so that ties are frequent.
samples = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=60).map(
    lambda rows: (np.array([r[0] for r in rows], dtype=np.float32) / 8, np.array([r[1] for r in rows]))
)


@pytest.mark.craft("ME07")
@settings(max_examples=25, deadline=None)
@given(samples)
def test_areas_equal_sklearns(sample):
    scores, truth = sample
    assume(0 < truth.sum() < len(truth))
    assert np.isclose(roc_auc(scores, truth), reference.roc_auc_score(truth, scores))
    assert np.isclose(average_precision(scores, truth), reference.average_precision_score(truth, scores))


@settings(max_examples=25, deadline=None)
@given(samples)
def test_points_equal_sklearns(sample):
    scores, truth = sample
    assume(0 < truth.sum() < len(truth))
    ours = roc_curve(scores, truth)
    alarms, hits, thresholds = reference.roc_curve(truth, scores, drop_intermediate=False)
    assert np.allclose(ours.x, alarms)
    assert np.allclose(ours.y, hits)
    assert np.allclose(ours.thresholds, thresholds)
    ours = precision_recall_curve(scores, truth)
    precision, recall, thresholds = reference.precision_recall_curve(truth, scores)
    assert np.allclose(ours.x, recall[::-1])
    assert np.allclose(ours.y, precision[::-1])
    assert np.allclose(ours.thresholds[1:], thresholds[::-1])


@settings(max_examples=25, deadline=None)
@given(samples, st.integers(1, 50))
def test_auc_is_the_share_of_pairs_in_order(sample, scale):
    scores, truth = sample
    assume(0 < truth.sum() < len(truth))
    gaps = scores[truth][:, None] - scores[~truth][None]
    assert roc_auc(scores * scale - 3, truth) == pytest.approx(((gaps > 0) + (gaps == 0) / 2).mean())


def test_a_question_without_positives_or_negatives_has_no_area():
    scores = np.array([0.1, 0.7])
    nobody, everybody = np.array([0, 0]), np.array([1, 1])
    assert np.isnan([roc_auc(scores, nobody), roc_auc(scores, everybody), average_precision(scores, nobody)]).all()
    assert average_precision(scores, everybody) == 1
    assert np.isnan(roc_auc(np.array([]), np.array([])))
    assert mean_over_classes([0.5, float("nan"), 1.0]) == 0.75
    assert np.isnan(mean_over_classes([float("nan")]))


def test_a_thinned_curve_keeps_ends_area_and_shape():
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.3
    scores = rng.normal(size=20_000) + truth
    for curve in (roc_curve(scores, truth), precision_recall_curve(scores, truth)):
        thin = curve.thinned(200)
        assert len(thin.x) <= 200
        assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1])
        assert thin.area == curve.area
        assert np.trapezoid(thin.y, thin.x) == pytest.approx(np.trapezoid(curve.y, curve.x), abs=0.005)
    short = roc_curve(scores[:20], truth[:20])
    assert short.thinned(200) is short
