"""`osler.evaluate`: a run's numbers on its own data and on other data."""

from pathlib import Path

import numpy as np
import pytest
import torch

import osler
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.structures.errors import CheckpointError, DataError, OslerError, RecipeError
from osler.verbs.run import Run
from tiny_runs import PlainNet, shade, shade_arrays, shade_folders, tiny_run, write_png


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shade_folders(tmp_path_factory.mktemp("photos"), {"bright": 24, "dark": 24})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Run:
    """Dark and bright pictures told apart, with a test set."""
    out = tmp_path_factory.mktemp("evaluate") / "run"
    return tiny_run(out, data=photos, epochs=6, lr=0.01, **{"data.test": 0.2})


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return tiny_run(tmp_path_factory.mktemp("digits") / "run", epochs=2)


def test_a_runs_own_data_is_its_test_set_where_there_is_one(run: Run, digits: Run) -> None:
    result = osler.evaluate(run.path)
    assert (result.split, result.metrics) == ("test", pytest.approx(run.facts()["test"]))
    own = osler.evaluate(digits.path)
    assert (own.split, own.metrics) == ("validation", pytest.approx(digits.facts()["validation"]))


def test_every_split_can_be_named_and_together_they_are_all(run: Run) -> None:
    counts = {split: osler.evaluate(run.path, split=split).samples for split in ("train", "validation", "test", "all")}
    assert counts["all"] == 48 == counts["train"] + counts["validation"] + counts["test"]
    assert min(counts.values()) > 0


def test_the_metrics_are_those_of_the_answers(digits: Run) -> None:
    result = osler.evaluate(digits.path)
    predictions, targets = result.outcome.predictions, result.outcome.targets
    assert result.metrics["accuracy"] == pytest.approx(float((predictions.argmax(1) == targets).mean()))
    assert result.metrics["loss"] == pytest.approx(
        float(-np.log(predictions[np.arange(len(targets)), targets]).mean()), rel=1e-4
    )
    assert result.names == tuple("0123456789")


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_batch_changes_no_answer(digits: Run, size: int) -> None:
    expected = osler.evaluate(digits.path).outcome.predictions
    np.testing.assert_allclose(osler.evaluate(digits.path, batch_size=size).outcome.predictions, expected, atol=1e-5)


def test_other_data_is_taken_whole_and_its_classes_are_known_by_name(tmp_path: Path, run: Run) -> None:
    other = shade_folders(tmp_path / "other", {"dark": 7})  # alone, `dark` would be class 0; the model knows it as 1
    result = osler.evaluate(run.path, data=other)
    assert (result.split, result.samples) == ("all", 7)
    assert result.metrics["accuracy"] == 1.0
    assert set(result.outcome.targets) == {1}


def test_other_data_with_a_test_set_is_judged_by_that(tmp_path: Path, run: Run) -> None:
    for part, count in (("train", 5), ("test", 3)):
        shade_folders(tmp_path / part, {"dark": count, "bright": count})
    result = osler.evaluate(run.path, data=tmp_path)
    assert (result.split, result.samples) == ("test", 6)


def test_a_class_that_the_model_does_not_know_is_refused(tmp_path: Path, run: Run) -> None:
    other = shade_folders(tmp_path / "other", {"dark": 3, "middle": 3})
    with pytest.raises(DataError, match="middle.*Known classes: bright, dark"):
        osler.evaluate(run.path, data=other)


def test_data_from_python_is_judged_and_numbered_as_the_model_knows_it(tmp_path: Path, run: Run) -> None:
    images = np.stack([shade(i, 200 if i % 2 == 0 else 50) for i in range(10)])
    result = osler.evaluate(run.path, data=(images, np.arange(10) % 2))  # 0: bright, 1: dark
    assert (result.samples, result.metrics["accuracy"]) == (10, 1.0)
    with pytest.raises(DataError, match="not known"):
        osler.evaluate(run.path, data=(images, np.arange(10)))


def test_a_run_on_data_from_python_asks_for_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    run = tiny_run(tmp_path / "run", data=shade_arrays(40), model=PlainNet(2))
    with pytest.raises(CheckpointError, match="passed in Python"):
        osler.evaluate(run.path)
    with pytest.raises(DataError, match="passed in Python"):
        osler.evaluate(run.path, model=PlainNet(2))
    assert osler.evaluate(run.path, model=PlainNet(2), data=shade_arrays(20, seed=1)).samples == 20


def test_a_csv_of_whole_numbers_is_judged_as_numbers_by_a_regression(tmp_path: Path) -> None:
    def table(folder: Path, values: list[float]) -> Path:
        rows = [f"{write_png(folder / f'{i}.png', shade(i, int(60 + v))).name},{v}" for i, v in enumerate(values)]
        (folder / "list.csv").write_text("file,value\n" + "\n".join(rows) + "\n")
        return folder / "list.csv"

    run = tiny_run(tmp_path / "run", data=table(tmp_path / "a", [i * 2.5 for i in range(40)]), epochs=2)
    result = osler.evaluate(run.path, data=table(tmp_path / "b", [10, 20, 30, 10]))
    assert set(result.metrics) == {"mae", "rmse", "r2", "loss"}


def test_weights_alone_are_enough_for_other_data(run: Run, photos: Path) -> None:
    result = osler.evaluate(run.folder.best, data=photos)
    assert result.samples == 48
    with pytest.raises(DataError, match="data=FOLDER"):
        osler.evaluate(run.folder.best)


def test_words_about_other_data_are_refused_where_none_is_named(digits: Run, photos: Path) -> None:
    source = open_data(DataSection(path=str(photos)), seed=0)
    for data in (None, source):
        with pytest.raises(RecipeError, match=r"limit, format .*no other data is named.*data=\.\.\."):
            osler.evaluate(digits.path, data=data, limit=5, format="folders")


def test_a_split_that_is_not_there_is_said(digits: Run) -> None:
    for split in ("test", "tset"):
        with pytest.raises(DataError, match=f"no {split} set"):
            osler.evaluate(digits.path, split=split)


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(OslerError, match="is not a run"):
        osler.evaluate(tmp_path)
