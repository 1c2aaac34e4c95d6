import pytest
import torch
from toy_data import toy_batch, toy_source

from osler.structures.errors import RecipeError, UnknownNameError
from osler.tasks.building import build_task, task_from_facts
from osler.tasks.recipe import TaskSection

CLASSES = toy_source("class", [0] * 6 + [1] * 3 + [2] * 3, ("a", "b", "c"))
LABELS = toy_source("labels", [[1, 0], [0, 0], [0, 1], [0, 0]], ("x", "y"))
NUMBERS = toy_source("numbers", [[1.0], [2.0], [4.0]], ("n",))


@pytest.mark.parametrize(
    ("source", "name", "outputs"),
    [(CLASSES, "classification", 3), (LABELS, "multilabel", 2), (NUMBERS, "regression", 1)],
)
def test_the_kind_of_targets_picks_the_task(source, name, outputs):
    task = build_task(TaskSection(), source, 0)
    assert (task.name, task.outputs) == (name, outputs)
    assert build_task(TaskSection(name=name), source, 0).facts() == task.facts()
    assert task.names == source.names
    assert list(task.notes) == []


def test_a_task_that_the_targets_do_not_suit_is_refused():
    with pytest.raises(
        RecipeError, match=r"task\.name is 'regression', which predicts numbers, but toys gives one class"
    ):
        build_task(TaskSection(name="regression"), CLASSES)
    with pytest.raises(UnknownNameError, match="Did you mean 'multilabel'"):
        build_task(TaskSection(name="multi_label"), LABELS)
    with pytest.raises(UnknownNameError, match="classification"):
        task_from_facts("clasification", {})


def test_balanced_weights_are_counted_on_the_training_targets():
    assert build_task(TaskSection(class_weights="balanced"), CLASSES).class_weights == pytest.approx(
        (2 / 3, 4 / 3, 4 / 3)
    )
    assert build_task(TaskSection(class_weights="balanced"), LABELS).class_weights == (3, 3)
    assert build_task(TaskSection(class_weights=(1, 2, 3)), CLASSES).class_weights == (1, 2, 3)
    assert build_task(TaskSection(), CLASSES).class_weights is None


@pytest.mark.parametrize(
    ("weights", "said"),
    [((1, 2), "2 weights, but toys has 3 classes: a, b, c"), ((1, -1, 1), "negative"), ((0, 0, 0), "all")],
)
def test_impossible_weights_are_refused(weights, said):
    with pytest.raises(RecipeError, match=said):
        build_task(TaskSection(class_weights=weights), CLASSES)


def test_settings_reach_their_task():
    assert build_task(TaskSection(label_smoothing=0.1, loss="focal"), CLASSES).facts() == {
        "names": ["a", "b", "c"],
        "loss": "focal",
        "label_smoothing": 0.1,
        "class_weights": None,
    }
    assert build_task(TaskSection(threshold=0.3), LABELS).thresholds.tolist() == [0.3, 0.3]
    with pytest.raises(RecipeError, match="no threshold"):
        build_task(TaskSection(threshold=0.3), CLASSES)


@pytest.mark.craft("LO03")
def test_a_loss_that_fits_badly_is_obeyed_and_told():
    task = build_task(TaskSection(loss="mse"), CLASSES)
    assert task.objective.name == "mse"
    assert "cross_entropy" in task.notes[0]
    rare = toy_source("class", [0] * 500 + [1], ("usual", "rare"))
    assert "task.loss=focal" in build_task(TaskSection(), rare).notes[0]
    rare_label = toy_source("labels", [[0, 1]] * 500 + [[1, 0]], ("rare", "usual"))
    assert "task.loss=sigmoid_focal" in build_task(TaskSection(), rare_label).notes[0]


def test_a_loss_of_ones_own_from_a_file_or_from_python(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def twice(outputs, target):\n    return 2 * outputs.mean()\n")
    batch = toy_batch(torch.tensor([0, 1]))
    raw = torch.ones(2, 3)
    for task in (
        build_task(TaskSection(loss=f"{file}:twice"), CLASSES),
        build_task(TaskSection(), CLASSES, 0, loss=lambda outputs, target: 2 * outputs.mean()),
    ):
        (step,) = task.steps(lambda images: raw, batch)
        assert step.losses()["loss"].item() == 2
    with pytest.raises(UnknownNameError, match="twice"):
        build_task(TaskSection(loss=f"{file}:twise"), CLASSES)
