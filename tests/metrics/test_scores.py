"""The scores of a whole split, as the loop, the evaluation and the report ask for them."""

import subprocess
import sys

import numpy as np
import pytest
import sklearn.metrics as reference

from osler.metrics.classification import ClassificationScores
from osler.metrics.multilabel import MultilabelScores

RNG = np.random.default_rng(0)
NAMES = tuple("abcdefg")
TARGETS = RNG.integers(0, 7, 500)
LOGITS = RNG.normal(size=(500, 7)) + 1.5 * np.eye(7)[TARGETS]
PROBABILITIES = (np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)).astype(np.float32)
SCORES = ClassificationScores(PROBABILITIES, TARGETS, NAMES)


@pytest.mark.craft("ME07")
def test_the_loops_values_equal_sklearns():
    values, answers = SCORES.values(), PROBABILITIES.argmax(axis=1)
    macro = {"average": "macro"}
    assert values == pytest.approx(
        {
            "accuracy": reference.accuracy_score(TARGETS, answers),
            "top5": reference.top_k_accuracy_score(TARGETS, PROBABILITIES, k=5),
            "precision": reference.precision_score(TARGETS, answers, **macro),
            "recall": reference.recall_score(TARGETS, answers, **macro),
            "f1": reference.f1_score(TARGETS, answers, **macro),
            "auc": np.mean([reference.roc_auc_score(i == TARGETS, PROBABILITIES[:, i]) for i in range(7)]),
            "calibration_error": SCORES.reliability().error,
        }
    )


@pytest.mark.craft("ME07")
def test_an_evaluations_further_values_equal_sklearns():
    values, answers = SCORES.further_values(), PROBABILITIES.argmax(axis=1)
    exact = PROBABILITIES / PROBABILITIES.sum(axis=1, keepdims=True, dtype=np.float64)
    areas = [reference.average_precision_score(i == TARGETS, PROBABILITIES[:, i]) for i in range(7)]
    assert values["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(TARGETS, answers))
    assert values["kappa"] == pytest.approx(reference.cohen_kappa_score(TARGETS, answers))
    assert values["mcc"] == pytest.approx(reference.matthews_corrcoef(TARGETS, answers))
    assert values["log_loss"] == pytest.approx(reference.log_loss(TARGETS, exact), rel=1e-6)
    assert values["f1_micro"] == pytest.approx(reference.f1_score(TARGETS, answers, average="micro"))
    assert values["f1_weighted"] == pytest.approx(reference.f1_score(TARGETS, answers, average="weighted"))
    assert values["map"] == pytest.approx(np.mean(areas))
    assert 0 < values["brier"] < 2


def test_a_row_for_each_class_agrees_with_its_curves():
    rows = SCORES.per_class()
    assert [r.name for r in rows] == list(NAMES)
    assert [r.support for r in rows] == np.bincount(TARGETS).tolist()
    for i, row in enumerate(rows):
        assert row.roc_auc == SCORES.roc(i).area
        assert row.average_precision == SCORES.precision_recall(i).area
    assert np.mean([r.f1 for r in rows]) == pytest.approx(SCORES.values()["f1"])


def test_a_class_that_the_split_lacks_spoils_no_average():
    keep = TARGETS < 6
    probabilities = PROBABILITIES[keep] * (np.arange(7) < 6)
    scores = ClassificationScores(probabilities, TARGETS[keep], NAMES)
    known = ClassificationScores(probabilities[:, :6], TARGETS[keep], NAMES[:6])
    assert scores.values() == pytest.approx(known.values())
    assert np.isnan(scores.per_class()[6].roc_auc)


def test_top5_is_not_shown_for_few_classes():
    few = ClassificationScores(PROBABILITIES[:, :5], np.minimum(TARGETS, 4), NAMES[:5])
    assert "top5" not in few.values()


@pytest.mark.craft("DA16", "ME09")
def test_several_labels_equal_sklearns():
    truth = (RNG.random((300, 3)) < [0.5, 0.2, 0.05]).astype(np.uint8)
    p = np.clip(RNG.random((300, 3)) * 0.6 + 0.4 * truth, 0, 1).astype(np.float32)
    scores = MultilabelScores(p, truth, ("x", "y", "z"), np.array([0.5, 0.4, 0.7]))
    answers = p >= [0.5, 0.4, 0.7]
    values = scores.values() | scores.further_values()
    assert values["map"] == pytest.approx(reference.average_precision_score(truth, p, average="macro"))
    assert values["auc"] == pytest.approx(reference.roc_auc_score(truth, p, average="macro"))
    assert values["exact_match"] == pytest.approx(reference.accuracy_score(truth, answers))
    assert values["hamming_loss"] == pytest.approx(reference.hamming_loss(truth, answers))
    for name, how in {"f1": "macro", "f1_micro": "micro", "f1_weighted": "weighted", "f1_samples": "samples"}.items():
        assert values[name] == pytest.approx(reference.f1_score(truth, answers, average=how, zero_division=0))
    assert [r.name for r in scores.per_class()] == ["x", "y", "z"]
    assert scores.per_class()[2].average_precision == scores.precision_recall(2).area
    assert scores.per_class()[2].roc_auc == scores.roc(2).area


def test_importing_metrics_is_light():
    code = "import sys, osler.metrics.classification, osler.metrics.multilabel, osler.metrics.choosing;"
    code += "print([m for m in ('torch', 'sklearn', 'torchmetrics', 'scipy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
