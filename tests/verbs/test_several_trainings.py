"""Cross-validation and search: their folders are their own, and a signal ends them with the run at hand."""

import json
from pathlib import Path
from typing import Any

import pytest

import osler
from osler.structures.errors import OslerError, TrainingError
from osler.training.observer import Observer
from osler.training.state import Training
from osler.verbs.cross_validate import cross_validate
from osler.verbs.search import search
from tiny_runs import TINY, no_report

SPACE = {"train.lr": (1e-3, 1e-1)}


class Interrupts(Observer):
    """Presses Ctrl-C in the first update of a run, counted from 1."""

    def __init__(self, run: int, word: str = "Ctrl-C") -> None:
        self.run, self.word, self.runs = run, word, 0

    def started(self, training: Training) -> None:
        self.runs += 1

    def batch_done(self, training: Training) -> None:
        if self.runs == self.run:
            training.asked_to_stop = self.word


class Fails(Observer):
    """Ends the first run in its first update."""

    def batch_done(self, training: Training) -> None:
        raise TrainingError("no more")


def several(verb: str, out: Path | None, **values: Any) -> Any:
    with no_report():
        if verb == "search":
            return search(SPACE, trials=4, out=out, quiet=True, **TINY, **values)
        return cross_validate(out=out, quiet=True, **TINY, **{"data.folds": 4}, **values)


@pytest.mark.parametrize("word", ["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("verb", ["search", "folds"])
def test_a_signal_ends_the_whole_with_the_run_at_hand(tmp_path: Path, verb: str, word: str) -> None:
    watcher = Interrupts(3, word)
    done = several(verb, tmp_path / "out", observers=[watcher])
    assert watcher.runs == len(done.runs) == 3
    assert done.stopped_by == word
    assert [run.interrupted for run in done.runs] == [False, False, True]
    if verb == "search":
        assert len(done.trials.trials) == 2
        assert done.best in done.runs[:2]
        assert len(json.loads((tmp_path / "out" / "search.json").read_text())["trials"]) == 2
    else:
        accuracies = [run.facts()["validation"]["accuracy"] for run in done.runs[:2]]
        assert done.means["accuracy"] == pytest.approx(sum(accuracies) / 2)
        assert not (tmp_path / "out" / "folds.json").exists()


def test_a_signal_in_the_first_run_leaves_a_run_that_can_go_on(tmp_path: Path) -> None:
    done = several("folds", tmp_path / "folds", observers=[Interrupts(1)])
    assert (len(done.runs), done.means, done.stopped_by) == (1, {}, "Ctrl-C")
    with pytest.raises(TrainingError, match="stopped by Ctrl-C in its first trial"):
        several("search", tmp_path / "search", observers=[Interrupts(1)])
    with no_report():
        assert not osler.resume_run(tmp_path / "search" / "trial-1", quiet=True).interrupted


@pytest.mark.parametrize("verb", ["search", "folds"])
def test_a_folder_that_holds_anything_is_refused_and_left_alone(tmp_path: Path, verb: str) -> None:
    (tmp_path / "recipe.yaml").write_text("train: {epochs: 1}")
    with pytest.raises(OslerError, match="holds a run already"):
        several(verb, tmp_path)
    (tmp_path / "recipe.yaml").rename(tmp_path / "mine.yaml")
    with pytest.raises(OslerError, match="is not empty"):
        several(verb, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize("verb", ["search", "folds"])
def test_what_fails_before_its_first_update_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text("mine")
    for out in (None, Path("a/b"), Path("c")):
        with pytest.raises(OslerError, match="no metric"):  # before the run has a folder
            several(verb, out, monitor="acuracy")
        with pytest.raises(TrainingError, match="no more"):  # after it
            several(verb, out, observers=[Fails()])
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.yaml"]
    assert (tmp_path / "recipe.yaml").read_text() == "mine"
