import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toy_data import toy_batch

from osler.losses.focal import sigmoid_focal_loss
from osler.metrics.multilabel import MultilabelScores
from osler.structures.errors import RecipeError
from osler.structures.sample import Sample
from osler.tasks.building import task_from_facts
from osler.tasks.multilabel import Multilabel, balanced_positives
from osler.tasks.task import Outcome

NAMES = ("sky", "sea", "dog")
TARGET = torch.tensor([[1.0, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1]])
RAW = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
OUTCOME = Outcome(
    np.arange(3),
    np.array([[0.9, 0.8, 0.1], [0.4, 0.1, 0.3], [0.9, 0.2, 0.6]], np.float32),
    np.array([[1, 1, 0], [0, 0, 1], [0, 0, 1]], np.float32),
    {"loss": 0.25},
)


def training_loss(task, target=TARGET):
    (step,) = task.steps(lambda images: RAW, toy_batch(target))
    return step.losses()["loss"]


def test_an_answer_is_as_sure_as_its_most_doubtful_label():
    task = Multilabel(NAMES, threshold=(0.5, 0.5, 0.2))
    assert task.sureness(OUTCOME).tolist() == pytest.approx([0.1, 0.1, 0.3])
    sure = Outcome(np.arange(2), np.array([[0.01, 0.02, 0.01], [0.99, 0.45, 0.01]], np.float32), None)
    assert Multilabel(NAMES).sureness(sure).argmax() == 0  # no label at all, and no doubt of it


@pytest.mark.craft("DA16", "LO10")
def test_each_label_has_a_sigmoid_of_its_own():
    task = Multilabel(NAMES)
    assert torch.equal(training_loss(task), F.binary_cross_entropy_with_logits(RAW, TARGET))
    rows = task.decode(torch.tensor([[9.0, 9.0, 9.0], [-9.0, -9.0, 0.0]]))
    assert (rows[0] > 0.99).all()  # all may be true at once
    assert rows[1].tolist() == pytest.approx([0, 0, 0.5], abs=1e-3)
    assert rows.dtype == np.float32


def test_weights_are_of_the_positives_and_act_in_training_only():
    weights = torch.tensor([1.0, 2, 4])
    task = Multilabel(NAMES, class_weights=weights.tolist())
    expected = F.binary_cross_entropy_with_logits(RAW, TARGET, pos_weight=weights)
    assert torch.equal(training_loss(task), expected)
    plain = task.evaluate(lambda images: RAW, toy_batch(TARGET))[1]["loss"]
    assert torch.equal(plain, F.binary_cross_entropy_with_logits(RAW, TARGET))


def test_other_losses_are_weighted_and_smoothed_alike():
    each = sigmoid_focal_loss(RAW, TARGET, reduction="none")
    by_hand = (each * torch.where(TARGET == 1, torch.tensor([1.0, 2, 4]), 1.0)).mean()
    assert torch.allclose(training_loss(Multilabel(NAMES, loss="sigmoid_focal", class_weights=[1, 2, 4])), by_hand)
    smoothed = training_loss(Multilabel(NAMES, label_smoothing=0.2))
    assert torch.allclose(smoothed, F.binary_cross_entropy_with_logits(RAW, TARGET * 0.8 + 0.1))


def test_a_loss_of_ones_own_is_used():
    task = Multilabel(NAMES, loss=lambda outputs, target: (outputs - target).abs().mean())
    assert torch.allclose(training_loss(task), (RAW - TARGET).abs().mean())
    assert task.facts()["loss"] is None


def test_targets_are_collated_as_rows_of_zeros_and_ones():
    target = Multilabel(NAMES).collate([Sample(None, np.array([1, 0, 1], np.uint8)), Sample(None, [0, 0, 0])])
    assert target.dtype == torch.float32
    assert target.tolist() == [[1, 0, 1], [0, 0, 0]]


@pytest.mark.craft("DA16")
def test_metrics_are_those_that_the_loop_shows():
    metrics = Multilabel(NAMES).metrics(OUTCOME)
    assert list(metrics) == ["map", "f1", "f1_micro", "exact_match", "loss"]
    assert metrics["exact_match"] == pytest.approx(1 / 3)
    assert Multilabel.monitor in metrics
    assert isinstance(Multilabel(NAMES).scores(OUTCOME), MultilabelScores)


@pytest.mark.craft("DA16")
def test_each_label_can_have_a_threshold_of_its_own():
    task = Multilabel(NAMES, threshold=(0.95, 0.5, 0.2))
    assert task.describe(OUTCOME.predictions[0])["labels"] == ["sea"]
    assert task.describe(OUTCOME.predictions[1])["labels"] == ["dog"]
    assert task.metrics(OUTCOME)["exact_match"] == pytest.approx(2 / 3)


@pytest.mark.craft("DA16", "ME06")
def test_thresholds_are_moved_to_the_best_f1_of_each_label():
    plain = Multilabel(NAMES, loss="hinge")
    tuned = plain.with_best_thresholds(OUTCOME)
    assert tuned.metrics(OUTCOME)["f1"] > plain.metrics(OUTCOME)["f1"]
    assert tuned.thresholds[2] < 0.3
    assert tuned.objective.name == "hinge"
    assert plain.thresholds.tolist() == [0.5] * 3


def test_a_mistake_is_the_sum_over_the_wrong_labels():
    assert Multilabel(NAMES).mistakes(OUTCOME).tolist() == pytest.approx([0, 0.7, 0.9])


def test_a_prediction_is_described_in_plain_values():
    described = json.loads(json.dumps(Multilabel(NAMES).describe(OUTCOME.predictions[0])))
    assert described["labels"] == ["sky", "sea"]
    assert described["p(dog)"] == pytest.approx(0.1)


def test_the_task_is_made_again_from_its_facts():
    task = Multilabel(NAMES, label_smoothing=0.1, class_weights=(1, 2, 3), threshold=(0.1, 0.2, 0.3))
    again = task_from_facts(task.name, json.loads(json.dumps(task.facts())))
    assert again.facts() == task.facts()
    assert again.thresholds.tolist() == [0.1, 0.2, 0.3]
    assert torch.equal(training_loss(task), training_loss(again))


def test_balanced_positives_weigh_what_the_negatives_weigh():
    assert balanced_positives(np.array([10, 50, 0, 100]), np.array([90, 50, 100, 0])) == (9, 1, 1, 1)


def test_losses_for_exclusive_classes_are_refused():
    with pytest.raises(RecipeError, match=r"'cross_entropy' is for class and distribution, not for labels.*bce"):
        Multilabel(NAMES, loss="cross_entropy")
