import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toy_data import toy_batch, toy_source

from osler.metrics.regression import RegressionScores
from osler.structures.errors import DataError, RecipeError
from osler.structures.sample import Sample
from osler.tasks.building import build_task, task_from_facts
from osler.tasks.recipe import TaskSection
from osler.tasks.regression import Regression
from osler.tasks.task import Outcome

TASK = Regression(("age", "height"), mean=(40, 1.7), std=(20, 0.1))
TARGET = torch.tensor([[40.0, 1.8], [60.0, 1.7], [20.0, 1.5]])
RAW = torch.tensor([[0.0, 1.0], [0.5, 0.0], [-1.0, -1.0]])


def test_the_network_learns_standardised_numbers():
    (step,) = TASK.steps(lambda images: RAW, toy_batch(TARGET))
    standardised = torch.tensor([[0.0, 1.0], [1.0, 0.0], [-1.0, -2.0]])
    assert torch.allclose(step.losses()["loss"], F.mse_loss(RAW, standardised))
    raw, loss = TASK.evaluate(lambda images: RAW, toy_batch(TARGET))
    assert torch.equal(raw, RAW)
    assert torch.allclose(loss["loss"], F.mse_loss(RAW, standardised))


def test_the_person_sees_their_own_units():
    numbers = TASK.decode(RAW)
    assert numbers.dtype == np.float32
    assert np.allclose(numbers, [[40, 1.8], [50, 1.7], [20, 1.6]])
    assert TASK.describe(numbers[1]) == pytest.approx({"age": 50, "height": 1.7})
    outcome = Outcome(np.arange(3), numbers, TARGET.numpy(), {"loss": 0.1})
    metrics = TASK.metrics(outcome)
    assert list(metrics) == ["mae", "rmse", "r2", "loss"]
    assert metrics["mae"] == pytest.approx((10 / 3 + 0.1 / 3) / 2)
    assert (TASK.monitor, TASK.direction) == ("mae", "min")
    assert isinstance(TASK.scores(outcome), RegressionScores)
    assert [row["name"] for row in TASK.scores(outcome).per_output()] == ["age", "height"]
    assert TASK.mistakes(outcome) == pytest.approx([0, 0.5 / 2**0.5, 1 / 2**0.5], abs=1e-5)


@pytest.mark.parametrize("name", ["mae", "huber", "smooth_l1"])
def test_other_losses_by_name(name):
    task = Regression(("x",), mean=(0,), std=(1,), loss=name)
    (step,) = task.steps(lambda images: torch.tensor([[3.0]]), toy_batch(torch.zeros(1, 1)))
    assert step.losses()["loss"].item() == {"mae": 3.0, "huber": 2.5, "smooth_l1": 2.5}[name]


def test_a_loss_of_ones_own_gets_both_standardised():
    task = Regression(("age",), mean=(40,), std=(20,), loss=lambda outputs, target: (outputs - target).abs().max())
    (step,) = task.steps(lambda images: torch.zeros(2, 1), toy_batch(torch.tensor([[40.0], [80.0]])))
    assert step.losses()["loss"].item() == 2


def test_one_number_or_several_are_collated_as_rows():
    target = TASK.collate([Sample(None, np.array([1.0, 2.0])), Sample(None, [3, 4])])
    assert target.tolist() == [[1, 2], [3, 4]]
    assert target.dtype == torch.float32
    assert TASK.collate([Sample(None, 5.0)]).tolist() == [[5]]


def test_scaling_is_measured_on_the_training_targets():
    targets = np.random.default_rng(0).normal([1000, -3], [50, 0.2], (400, 2)).astype(np.float32)
    task = build_task(TaskSection(), toy_source("numbers", targets, ("a", "b")))
    assert isinstance(task, Regression)
    assert task.mean == pytest.approx(targets.mean(axis=0), rel=1e-5)
    assert task.std == pytest.approx(targets.std(axis=0), rel=1e-5)
    assert task.notes == []


def test_a_number_that_never_varies_is_told_and_not_divided_by():
    task = build_task(TaskSection(), toy_source("numbers", [[1, 7], [2, 7], [3, 7]], ("a", "b")))
    assert task.std[1] == 1
    assert "b never varies" in task.notes[0]


def test_numbers_that_are_not_finite_are_refused_by_place():
    source = toy_source("numbers", [[1, 2], [3, np.nan]], ("a", "b"))
    with pytest.raises(DataError, match=r"1 of the training numbers of toys .* 'b' of training picture 1"):
        build_task(TaskSection(), source)


def test_outliers_are_a_reason_to_consider_another_loss():
    values = np.r_[np.random.default_rng(0).normal(size=300), [90] * 5][:, None]
    source = toy_source("numbers", values, ("a",))
    assert "task.loss=huber" in build_task(TaskSection(), source).notes[0]
    assert build_task(TaskSection(loss="huber"), source).notes == []


@pytest.mark.parametrize("asked", [{"label_smoothing": 0.1}, {"class_weights": "balanced"}, {"threshold": 0.4}])
def test_what_is_for_classes_is_refused(asked):
    with pytest.raises(RecipeError, match=f"task.{next(iter(asked))}"):
        build_task(TaskSection(**asked), toy_source("numbers", [[1], [2]], ("a",)))


def test_the_task_is_made_again_from_its_facts():
    again = task_from_facts(TASK.name, json.loads(json.dumps(TASK.facts())))
    assert again.facts() == TASK.facts()
    assert np.array_equal(again.decode(RAW), TASK.decode(RAW))


def test_a_scale_of_zero_is_no_scale():
    with pytest.raises(ValueError, match="positive"):
        Regression(("x",), mean=(0,), std=(0,))
