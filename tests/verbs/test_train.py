"""`osler.train`: what a person may pass: words, data, a network, a loss."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import osler
from osler.structures.errors import CheckpointError, RecipeError
from tiny_runs import (
    PlainNet,
    Shades,
    shade,
    shade_arrays,
    shade_folders,
    tiny_run,
    train_losses,
    weights_of,
    write_png,
)

NET_FILE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes, in_channels, width=6):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.ReLU(), nn.Linear(width, num_classes))
        self.body(torch.zeros(1, in_channels, 8, 8))

    def forward(self, images):
        return self.body(images)

def squared(outputs, target):
    wanted = nn.functional.one_hot(target, outputs.shape[1]).float()
    return (outputs - wanted).square().mean()
"""


def test_values_may_be_short_dotted_or_whole_sections(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", lr=0.02, train={"momentum": 0.8, "optimizer": "momentum"}, **{"data.limit": 40})
    train = run.recipe.recipe.train
    assert (train.lr, train.momentum, train.optimizer) == (0.02, 0.8, "momentum")
    assert run.recipe.origin("train.momentum").who == "person"


def test_a_recipe_file_words_and_values_go_over_one_another(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("train: {epochs: 7, batch_size: 20, momentum: 0.5, optimizer: nesterov}\n")
    words = ["epochs=6", "batch_size=16"]
    run = tiny_run(tmp_path / "run", recipe=tmp_path / "my.yaml", overrides=words, epochs=1)
    train = run.recipe.recipe.train
    assert (train.epochs, train.batch_size, train.momentum) == (1, 16, 0.5)


@pytest.mark.parametrize("form", ["dataset", "pair", "arrays", "dictionary"])
def test_data_may_be_a_dataset_arrays_or_parts(tmp_path: Path, form: str) -> None:
    data: Any = {
        "dataset": Shades(60),
        "pair": (Shades(60), Shades(20, seed=1)),
        "arrays": shade_arrays(60),
        "dictionary": {"train": shade_arrays(60), "val": Shades(20, 1), "test": shade_arrays(10, seed=2)},
    }[form]
    run = tiny_run(tmp_path / "run", data=data, epochs=4, optimizer="adamw", lr=0.01)
    assert run.metrics["accuracy"] == 1.0
    names = run.artefact().preprocessing.names
    assert names == (("dim", "light") if form in ("dataset", "pair") else ("0", "1"))
    assert ("test" in form or form == "dictionary") == bool(run.facts()["test"])


def test_folders_of_pictures_are_learned_and_named(tmp_path: Path) -> None:
    folder = shade_folders(tmp_path / "photos", {"bright": 24, "dark": 20, "middle": 20})
    run = tiny_run(tmp_path / "run", data=folder, epochs=6, lr=0.01)
    assert run.artefact().preprocessing.names == ("bright", "dark", "middle")
    assert run.metrics["accuracy"] > 0.9
    assert run.recipe.recipe.data.path == str(folder.resolve())


def csv_of(folder: Path, header: str, rows: list[str]) -> Path:
    for i in range(len(rows)):
        write_png(folder / f"{i}.png", shade(i, 40 + 3 * i))
    (folder / "list.csv").write_text(header + "\n" + "\n".join(f"{i}.png,{row}" for i, row in enumerate(rows)) + "\n")
    return folder / "list.csv"


def test_a_csv_of_numbers_is_a_regression_in_the_persons_units(tmp_path: Path) -> None:
    rows = [f"{1000 + 10.5 * i},{-i / 10}" for i in range(60)]
    run = tiny_run(tmp_path / "run", data=csv_of(tmp_path / "p", "file,weight,height", rows), epochs=25, lr=0.01)
    assert run.recipe.recipe.task.name == "regression"
    answer = run.predict(tmp_path / "p" / "50.png")[0]
    assert set(answer.described) == {"weight", "height"}
    assert answer.described["weight"] == pytest.approx(1525, abs=120)  # of a range from 1000 to 1620
    assert run.metrics["r2"] > 0.8


def test_a_csv_of_noughts_and_ones_is_a_multilabel_task(tmp_path: Path) -> None:
    rows = [f"{int(i > 30)},{int(i < 45)}" for i in range(60)]
    run = tiny_run(tmp_path / "run", data=csv_of(tmp_path / "p", "file,light,not_white", rows), epochs=40, lr=0.01)
    assert run.recipe.recipe.task.name == "multilabel"
    assert run.artefact().preprocessing.names == ("light", "not_white")
    assert run.metrics["f1"] > 0.8


def test_a_persons_module_is_trained_and_asked_for_again(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = PlainNet(2)
    before = weights_of(model)
    run = tiny_run(tmp_path / "run", model=model, data=shade_arrays(40))
    assert not torch.equal(before["head.weight"], model.head.weight)
    picture = write_png(tmp_path / "a.png", shade(1, 60, size=8, channels=1))
    with pytest.raises(CheckpointError, match=r"passed in Python \(PlainNet\)"):
        osler.predict(run.path, picture)
    answer = osler.predict(run.path, picture, model=PlainNet(2))[0]
    assert answer.described["class"] in ("0", "1")


def test_a_module_with_another_number_of_outputs_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"PlainNet puts out \[7\] numbers.*needs \[2\]"):
        tiny_run(tmp_path / "run", model=PlainNet(7), data=shade_arrays(40))
    assert not (tmp_path / "run").exists()


def test_a_network_and_a_loss_in_a_file_are_found_again_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(NET_FILE)
    monkeypatch.chdir(tmp_path)
    options = {"model.options": {"width": 9}}
    tiny_run(Path("run"), model="mine.py:Net", loss="mine.py:squared", **options)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    recipe = osler.Run("../run").recipe.recipe
    assert recipe.model.name == f"{tmp_path / 'mine.py'}:Net"
    assert recipe.task.loss == f"{tmp_path / 'mine.py'}:squared"
    assert osler.evaluate("../run").metrics["accuracy"] == run_accuracy(tmp_path / "run")
    assert train_losses(osler.Run("../run"))[0] < 1.5  # a mean of squares, not the 2.3 of cross-entropy


def run_accuracy(path: Path) -> float:
    return osler.Run(path).metrics["accuracy"]


def test_a_persons_own_loss_is_what_is_minimised(tmp_path: Path) -> None:
    def constant(outputs: Tensor, target: Tensor) -> Tensor:
        return outputs.sum() * 0 + 7.0

    assert train_losses(tiny_run(tmp_path / "run", loss=constant)) == [7.0]
