"""What only Python can hold: a network, a loss, a task. A run keeps them; where it cannot, it says what to pass again."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import osler
from osler.reports.content import ReportContent
from osler.structures.errors import OslerError, RecipeError, UnknownNameError
from osler.tasks.classification import Classification
from osler.tasks.multilabel import Multilabel
from osler.training.checkpoint import read_checkpoint
from tiny_runs import PlainNet, Shades, no_report, shade, shade_arrays, tiny_run, weights_of, write_png

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def my_loss(outputs: Tensor, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(outputs, target)


class Shout(Classification):
    """A task of a person's own: what it answers is in capitals."""

    name = "shout"

    def describe(self, prediction: Any) -> dict[str, Any]:
        return {"class": super().describe(prediction)["class"].upper()}


class Sided(PlainNet):
    """A network that gives the output of an auxiliary classifier as well."""

    def forward(self, images: Tensor) -> Any:
        return super().forward(images), super().forward(images) * 0


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return write_png(tmp_path / "cat.jpg.png", shade(1, 60, size=8, channels=1))


def test_the_lines_of_the_readme_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_png(tmp_path / "cat.png", shade(1, 60, size=8, channels=1)).rename("cat.jpg")  # the content decides
    (lines,) = (block.split("```")[0] for block in README.split("```python\n")[1:])
    assert 'run.predict("cat.jpg")' in lines
    names: dict[str, Any] = {"my_dataset": Shades(40), "MyNet": lambda: PlainNet(2), "my_loss": my_loss}
    exec(lines, names)
    run = names["run"]
    assert run.report.exists()
    assert len(run.history) == 10
    assert run.predict("cat.jpg")[0].described["class"] == "dim"
    assert run.evaluate(Shades(10)).samples == 10


def test_a_run_answers_with_its_best_weights_and_leaves_the_persons_module_alone(picture: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = PlainNet(2)
    run = tiny_run(tmp_path / "run", model=net, data=shade_arrays(40))
    before = run.predict(picture)[0].prediction
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(run.predict(picture)[0].prediction, before)
    assert all((v == 0).all() for v in weights_of(net).values())
    assert run.artefact().task.name == "classification"


def test_what_was_passed_is_asked_for_when_a_run_goes_on(tmp_path: Path) -> None:
    torch.manual_seed(0)
    things: dict[str, Any] = {"model": PlainNet(2), "loss": my_loss, "task": Shout(("a", "b"), loss=my_loss)}
    for word, thing in things.items():
        with no_report():
            base = {"data": shade_arrays(40), "epochs": 1, "precision": "float32", "augment": "none"}
            path = osler.train(out=tmp_path / word, quiet=True, **base, **{word: thing}).path
        with pytest.raises(RecipeError, match=rf"The {word} of this run was passed in Python.*{word}=\.\.\."):
            osler.resume_run(path, data=shade_arrays(40), overrides=["epochs=2"], quiet=True)
        with pytest.raises(RecipeError, match=rf"osler\.train\(recipe, {word}="):
            osler.train(path / "recipe.yaml", data=shade_arrays(40), quiet=True)
        with pytest.raises(RecipeError, match=r"The data of this run.*osler\.resume_run\(run, data="):
            osler.resume_run(path, overrides=["epochs=2"], quiet=True, **{word: thing})
        with no_report():
            more = osler.resume_run(path, data=shade_arrays(40), overrides=["epochs=2"], quiet=True, **{word: thing})
        assert len(more.history) == 2


def test_another_word_takes_the_place_of_what_was_passed(tmp_path: Path) -> None:
    path = tiny_run(tmp_path / "run", model=PlainNet(2), data=shade_arrays(40)).path
    run = tiny_run(tmp_path / "again", recipe=path / "recipe.yaml", data=shade_arrays(40), model="convnet")
    assert run.recipe.recipe.model.name == "convnet"


def test_a_task_of_ones_own_judges_and_answers(tmp_path: Path, picture: Path) -> None:
    task = Shout(("dim", "light"))
    run = tiny_run(tmp_path / "run", data=shade_arrays(40), task=task)
    assert run.predict(picture)[0].described["class"] in ("DIM", "LIGHT")
    assert osler.predict(run.path, picture, task=task)[0].described == run.predict(picture)[0].described
    assert osler.evaluate(run.path, data=shade_arrays(10), task=task).samples == 10
    assert run.evaluate(shade_arrays(10)).samples == 10
    with pytest.raises(UnknownNameError, match=r"'shout'.*passed in Python.*task=\.\.\."):
        osler.predict(run.path, picture)
    with pytest.raises(RecipeError, match="several runs together; these are for shout"):
        osler.predict([run.path, run.path], picture, task=task)


@pytest.mark.parametrize("mirror", [False, True])
def test_a_network_with_auxiliary_outputs_answers_by_its_main_one(tmp_path: Path, picture: Path, mirror: bool) -> None:
    torch.manual_seed(0)
    run = tiny_run(
        tmp_path / "run", model=Sided(2), data=shade_arrays(60), epochs=3, lr=0.01, **{"model.mirror": mirror}
    )
    assert run.metrics["accuracy"] > 0.9
    assert run.predict(picture)[0].described["class"] == "0"


def test_the_report_counts_labels_by_the_thresholds_of_the_task(tmp_path: Path) -> None:
    images, classes = shade_arrays(40)
    data = (images, np.stack([classes, 1 - classes], axis=1))
    with patch("osler.verbs.finishing.write_report") as written:
        tiny_run(tmp_path / "run", data=data, task=Multilabel(("a", "b"), threshold=(0.2, 0.9)), report=True)
    content: ReportContent = written.call_args.args[0]
    assert content.subject.threshold == (0.2, 0.9)


def test_a_run_from_the_weights_of_another_goes_on_without_it(tmp_path: Path) -> None:
    first = tiny_run(tmp_path / "first")
    for name in ("kept", "gone"):
        tiny_run(tmp_path / name, epochs=1, **{"model.weights": str(first.path)})
    with no_report():
        osler.resume_run(tmp_path / "kept", overrides=["epochs=2"], quiet=True)
        first.path.rename(tmp_path / "moved")
        run = osler.resume_run(tmp_path / "gone", overrides=["epochs=2"], quiet=True)
    kept, gone = (read_checkpoint(tmp_path / n / "checkpoints" / "last.pt")["state"]["model"] for n in ("kept", "gone"))
    assert all(torch.equal(v, gone[k]) for k, v in kept.items())
    assert len(run.history) == 2
    with pytest.raises(OslerError, match="no weights at"):
        tiny_run(tmp_path / "new", **{"model.weights": str(first.path)})
