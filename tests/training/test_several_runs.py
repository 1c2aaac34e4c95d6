"""Several runs that answer as one, and a search that keeps its runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import osler
from osler.structures.errors import DataError, RecipeError
from osler.training.checklist import procedure
from osler.verbs.run import Run
from osler.verbs.search import search
from tiny_runs import TINY, no_report, shade_arrays, tiny_run, write_png


def digits(start: int, stop: int) -> list[tuple[np.ndarray, int]]:
    images, labels = load_digits(return_X_y=True)
    return [
        (np.round(x * 255 / 16).astype(np.uint8).reshape(8, 8, 1), int(y))
        for x, y in zip(images[start:stop], labels[start:stop], strict=True)
    ]


LEARNT, VALIDATED, UNSEEN = digits(0, 300), digits(300, 400), digits(400, 1200)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three networks from different weights; the second sees pictures with other statistics, the third looks twice."""
    root = tmp_path_factory.mktemp("members")
    extras: list[dict[str, Any]] = [{}, {"model.standardise": "half"}, {"model.mirror": True}]
    return [
        tiny_run(root / str(seed), data=(LEARNT, VALIDATED), seed=seed, epochs=4, lr=0.01, **extra)
        for seed, extra in enumerate(extras)
    ]


@pytest.mark.craft("WF05")
def test_an_ensemble_of_runs_is_at_least_as_good_as_the_mean_of_its_members(members: list[Run]) -> None:
    paths = [run.path for run in members]
    alone = [osler.evaluate(path, data=UNSEEN) for path in paths]
    together = osler.evaluate(paths, data=UNSEEN)
    assert together.samples == alone[0].samples == len(UNSEEN)
    assert together.metrics["accuracy"] >= np.mean([one.metrics["accuracy"] for one in alone])
    assert together.metrics["loss"] <= np.mean([one.metrics["loss"] for one in alone])
    mean = np.mean([one.outcome.predictions for one in alone], axis=0)
    np.testing.assert_allclose(together.outcome.predictions, mean, atol=1e-5)


@pytest.mark.craft("WF05")
def test_several_runs_predict_the_mean(members: list[Run], tmp_path: Path) -> None:
    picture = write_png(tmp_path / "digit.png", UNSEEN[0][0])
    paths = [run.path for run in members]
    alone = [osler.predict(path, picture)[0].prediction for path in paths]
    np.testing.assert_allclose(osler.predict(paths, picture)[0].prediction, np.mean(alone, axis=0), atol=1e-5)
    one = osler.predict(paths[:1], picture)[0]
    np.testing.assert_array_equal(one.prediction, alone[0])


@pytest.mark.craft("WF05")
def test_an_ensemble_for_numbers_speaks_in_the_persons_units(tmp_path: Path) -> None:
    images, _ = shade_arrays(60)
    light = images.mean(axis=(1, 2, 3)).astype(np.float32)
    rows = list(zip(images, light, strict=True))
    runs = [
        tiny_run(
            tmp_path / str(i), data=(rows[i * 5 : 40], rows[40:50]), seed=i, epochs=3, **{"task.name": "regression"}
        )
        for i in range(2)
    ]
    paths = [run.path for run in runs]
    alone = [osler.evaluate(path, data=rows[50:], labels="numbers") for path in paths]
    together = osler.evaluate(paths, data=rows[50:], labels="numbers")
    mean = np.mean([one.outcome.predictions for one in alone], axis=0)
    np.testing.assert_allclose(together.outcome.predictions, mean, rtol=1e-4)
    assert together.metrics["rmse"] <= np.mean([one.metrics["rmse"] for one in alone]) + 1e-4


def test_runs_that_held_out_different_pictures_are_not_judged_on_their_own(tmp_path: Path) -> None:
    first, second, other = (
        tiny_run(tmp_path / n, seed=s, lr=lr).path for n, s, lr in (("a", 0, 0.1), ("b", 0, 0.2), ("c", 1, 0.1))
    )
    assert osler.evaluate([first, second]).split == "validation"
    with pytest.raises(DataError, match="the other has learnt"):
        osler.evaluate([first, other])


def test_runs_that_do_not_fit_together_are_refused(members: list[Run], tmp_path: Path) -> None:
    larger = tiny_run(tmp_path / "larger", data=(LEARNT[:50], VALIDATED), **{"model.size": 12})
    with pytest.raises(RecipeError, match=r"their size differs \(8, 8 and 12, 12\)"):
        osler.evaluate([members[0].path, larger.path], data=UNSEEN)
    with pytest.raises(RecipeError, match="at least one run"):
        osler.predict([], "x.png")


@pytest.mark.craft("WF04")
@pytest.mark.parametrize("method", ["grid", "random", "bayesian"])
def test_a_trial_knows_what_was_searched(tmp_path: Path, method: Any) -> None:
    space = {"train.lr": (1e-4, 1e-1), "train.weight_decay": (1e-5, 1e-1)}
    with no_report():
        found = search(space, method=method, trials=4, out=tmp_path / method, quiet=True, **TINY)
    assert len(found.runs) == 4
    scores = []
    for number, (run, trial) in enumerate(zip(found.runs, found.trials.trials, strict=True), 1):
        store = run.folder.store()
        said = procedure(store)["dynamics"]["hyper_parameters"]
        store.close()
        assert (said["method"], said["trial"], said["metric"]) == (method, number, "accuracy")
        for key, (low, high) in space.items():
            assert said["parameters"][key] == {"low": low, "high": high, "value": trial.values[key]}
            assert run.recipe.value(key) == trial.values[key]
        assert said["score"] == trial.score == max(row["validation.accuracy"] for row in run.history)
        scores.append(trial.score)
    assert found.best is found.runs[int(np.argmax(scores))]
    assert json.loads((found.path / "search.json").read_text())["best"] == found.best.path.name


def test_an_impossible_search_is_refused() -> None:
    for space, wrong in (({}, "one parameter"), ({"train.lr": (0.1, 0.01)}, "lower one first")):
        with pytest.raises(RecipeError, match=wrong):
            search(space)  # type: ignore[arg-type]
