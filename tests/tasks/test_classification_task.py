import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toy_data import toy_batch, toy_source

from osler.losses.registry import losses
from osler.metrics.classification import ClassificationScores
from osler.structures.errors import RecipeError, TrainingError, UnknownNameError
from osler.structures.sample import Sample
from osler.tasks.building import build_task, task_from_facts
from osler.tasks.classification import Classification, balanced_weights
from osler.tasks.recipe import TaskSection
from osler.tasks.task import Outcome

NAMES = ("cat", "dog", "owl")
TARGET = torch.tensor([0, 1, 2, 1])


class Outputs(nn.Module):
    """A network that answers what it is told to."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = nn.Parameter(outputs) if isinstance(outputs, torch.Tensor) else outputs

    def forward(self, images):
        return self.outputs


RAW = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


def training_losses(task, raw=RAW, target=TARGET):
    (step,) = task.steps(Outputs(raw), toy_batch(target))
    assert step.group == "model"
    return step.losses()


def test_one_step_of_cross_entropy():
    loss = training_losses(Classification(NAMES))
    assert loss.keys() == {"loss"}
    assert torch.equal(loss["loss"], F.cross_entropy(RAW, TARGET))


def test_a_network_learns_in_a_few_steps():
    torch.manual_seed(0)
    task = Classification(NAMES)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    batch = toy_batch(torch.arange(30) % 3)
    batch.images[range(30), 0, 0, batch.target] += 3
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(60):
        for step in task.steps(model, batch):
            optimizer.zero_grad()
            sum(step.losses().values()).backward()
            optimizer.step()
    with torch.inference_mode():
        raw, loss = task.evaluate(model.eval(), batch)
    outcome = Outcome(batch.indices.numpy(), task.decode(raw), batch.target.numpy(), {"loss": float(loss["loss"])})
    assert task.metrics(outcome)["accuracy"] > 0.95
    assert task.metrics(outcome)["loss"] < 0.3


def test_outputs_of_half_precision_are_judged_in_single():
    loss = training_losses(Classification(NAMES), RAW.bfloat16())["loss"]
    assert loss.dtype == torch.float32
    assert torch.equal(loss, F.cross_entropy(RAW.bfloat16().float(), TARGET))


def test_mixed_targets_are_shares_of_classes():
    first, second = (
        training_losses(Classification(NAMES)),
        training_losses(Classification(NAMES), target=TARGET.flip(0)),
    )
    mixed = 0.3 * F.one_hot(TARGET, 3) + 0.7 * F.one_hot(TARGET.flip(0), 3)
    both = training_losses(Classification(NAMES), target=mixed)
    assert both["loss"].item() == pytest.approx(0.3 * first["loss"].item() + 0.7 * second["loss"].item())


def test_smoothing_and_weights_act_in_training_only():
    task = Classification(NAMES, label_smoothing=0.1, class_weights=[1, 2, 4])
    expected = F.cross_entropy(RAW, TARGET, torch.tensor([1.0, 2, 4]), label_smoothing=0.1)
    assert torch.equal(training_losses(task)["loss"], expected)
    assert torch.equal(task.evaluate(Outputs(RAW), toy_batch(TARGET))[1]["loss"], F.cross_entropy(RAW, TARGET))


@pytest.mark.parametrize("name", ["focal", "hinge", "kl", "mse", "bce", "sigmoid_focal"])
def test_every_loss_that_can_be_computed_for_classes_is(name):
    plain = training_losses(Classification(NAMES, loss=name))["loss"]
    one_hot = F.one_hot(TARGET, 3).float()
    assert plain.item() == pytest.approx(losses[name].function(RAW, one_hot).item())
    weighted = training_losses(Classification(NAMES, loss=name, class_weights=[0, 1, 0]))["loss"]
    only_dogs = training_losses(Classification(NAMES, loss=name), RAW[[1, 3]], TARGET[[1, 3]])["loss"]
    assert weighted.item() == pytest.approx(only_dogs.item())
    smoothed = training_losses(Classification(NAMES, loss=name, label_smoothing=0.3))["loss"]
    assert smoothed.item() != pytest.approx(plain.item())


def test_weights_are_copied_to_a_device_once():
    task = Classification(NAMES, class_weights=[1, 2, 4])
    with torch.inference_mode():
        first = task._weights.on(torch.device("meta"))
    assert task._weights.on(torch.device("meta")) is first
    assert not first.is_inference()  # made while evaluating, it still serves in training


def test_auxiliary_classifiers_count_three_tenths():
    side, off = RAW.flip(0), None
    found = training_losses(Classification(NAMES), (RAW, side, off, -RAW))
    assert torch.equal(found["loss"], F.cross_entropy(RAW, TARGET))
    expected = 0.3 * (F.cross_entropy(side, TARGET) + F.cross_entropy(-RAW, TARGET))
    assert torch.allclose(found["aux_loss"], expected)
    assert training_losses(Classification(NAMES), (RAW, off)).keys() == {"loss"}
    raw, loss = Classification(NAMES).evaluate(Outputs((RAW, side)), toy_batch(TARGET))
    assert torch.equal(raw, RAW)
    assert loss.keys() == {"loss"}


@pytest.mark.parametrize("answer", [RAW[:, :2], RAW[:3], RAW[:, :, None], torch.tensor(1.0)])
def test_outputs_of_the_wrong_shape_are_refused(answer):
    with pytest.raises(TrainingError, match=r"last layer 3 outputs"):
        training_losses(Classification(NAMES), answer)


def test_outputs_that_are_no_tensor_are_refused():
    with pytest.raises(TrainingError, match=r"gives a dict; this task needs a tensor of shape \(4, 3\)"):
        training_losses(Classification(NAMES), {"logits": RAW})


def test_decoded_rows_are_probabilities_on_the_cpu():
    rows = Classification(NAMES).decode(RAW.bfloat16() * 50)
    assert rows.dtype == np.float32
    assert np.allclose(rows.sum(axis=1), 1)


def test_targets_are_collated_as_indices():
    target = Classification(NAMES).collate([Sample(None, np.int64(2)), Sample(None, 0)])
    assert target.dtype == torch.int64
    assert target.tolist() == [2, 0]


OUTCOME = Outcome(
    np.arange(4),
    np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.9, 0.05, 0.05], [0.1, 0.8, 0.1]], np.float32),
    np.array([0, 1, 2, 1]),
    {"loss": 0.5},
)


def test_metrics_are_those_that_the_loop_shows():
    metrics = Classification(NAMES).metrics(OUTCOME)
    assert list(metrics) == ["accuracy", "precision", "recall", "f1", "auc", "calibration_error", "loss"]
    assert metrics["accuracy"] == 0.5
    assert metrics["loss"] == 0.5
    assert Classification.monitor in metrics
    assert isinstance(Classification(NAMES).scores(OUTCOME), ClassificationScores)


def test_the_surer_of_the_wrong_the_worse_the_mistake():
    wrong = Classification(NAMES).mistakes(OUTCOME)
    assert wrong[[0, 3]].tolist() == [0, 0]
    assert wrong[2] > wrong[1] > 0


def test_a_prediction_is_described_in_plain_values():
    described = Classification(NAMES).describe(OUTCOME.predictions[1])
    assert json.loads(json.dumps(described)) == pytest.approx(
        {"class": "cat", "probability": 0.5, "runner_up": "dog", "runner_up_probability": 0.4}
    )


def test_the_task_is_made_again_from_its_facts():
    task = Classification(NAMES, loss="focal", label_smoothing=0.1, class_weights=(1, 2, 3))
    again = task_from_facts(task.name, json.loads(json.dumps(task.facts())))
    assert again.facts() == task.facts()
    assert again.names == NAMES
    assert torch.equal(training_losses(task)["loss"], training_losses(again)["loss"])
    own = Classification(NAMES, loss=lambda outputs, target: outputs.sum())
    assert task_from_facts(own.name, own.facts()).objective.name == "cross_entropy"


def test_balanced_weights_count_every_class_alike():
    assert balanced_weights(np.array([10, 30, 0, 60])) == pytest.approx((2.5, 100 / 120, 0, 100 / 240))


def test_class_weights_save_the_rare_class():
    """One in twenty is rare and overlaps with the rest: balanced weights find it, unweighted training does not."""
    rng = torch.Generator().manual_seed(0)
    target = (torch.arange(2000) % 20 == 0).long()
    batch = toy_batch(target)
    batch.images = torch.randn(2000, 1, 1, 2, generator=rng) + 1.5 * target.view(-1, 1, 1, 1)
    source = toy_source("class", target, ("common", "rare"))

    def minority_recall(class_weights):
        task = build_task(TaskSection(class_weights=class_weights), source)
        model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
        nn.init.zeros_(model[1].weight)
        nn.init.zeros_(model[1].bias)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        for _ in range(100):
            (step,) = task.steps(model, batch)
            optimizer.zero_grad()
            step.losses()["loss"].backward()
            optimizer.step()
        answers = model(batch.images).argmax(dim=1)
        return float((answers[target == 1] == 1).float().mean())

    assert minority_recall("none") < 0.5
    assert minority_recall("balanced") > 0.8


def test_a_loss_of_ones_own_is_used_as_it_is():
    seen = []

    def own(outputs, target):
        seen.append((outputs.dtype, target))
        return outputs.square().mean()

    task = Classification(NAMES, loss=own)
    assert torch.equal(training_losses(task, RAW.bfloat16())["loss"], RAW.bfloat16().float().square().mean())
    assert seen[0][0] == torch.float32
    assert seen[0][1] is not None
    assert torch.equal(seen[0][1], TARGET)


def test_a_loss_of_ones_own_must_give_one_number_and_takes_no_weights():
    with pytest.raises(TrainingError, match=r"Your loss relu gives a tensor of shape \(4, 3\), not one number"):
        training_losses(Classification(NAMES, loss=relu))
    with pytest.raises(RecipeError, match="loss of your own"):
        Classification(NAMES, loss=relu, label_smoothing=0.1)
    with pytest.raises(RecipeError, match="loss of your own"):
        Classification(NAMES, loss=relu, class_weights=(1, 1, 1))


def relu(outputs, target):
    return outputs.relu()


def test_losses_that_do_not_suit_are_refused_and_misspelled_ones_corrected():
    with pytest.raises(
        RecipeError, match=r"'dice' is for masks, not for class\. These fit: cross_entropy, focal, hinge"
    ):
        Classification(NAMES, loss="dice")
    with pytest.raises(UnknownNameError, match="Did you mean 'cross_entropy'"):
        Classification(NAMES, loss="cross_entrop")
