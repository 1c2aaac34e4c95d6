"""What watches a training: it records every epoch, and changes nothing."""

import csv
import io
import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from osler.training.loop import fit
from osler.training.observer import Epoch, Observer, Updates
from osler.training.progress import ProgressBar
from osler.training.recorder import TIMINGS, epoch_row, epochs_csv
from osler.training.state import Training
from osler.training.tensorboard_log import TensorBoardLog
from osler.verbs.run import Run
from tiny_runs import assert_same_weights, tiny_preparation, tiny_run, weights_of


class Notes(Observer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.losses: list[float] = []
        self.epochs: list[Epoch] = []

    def started(self, training: Training) -> None:
        self.told.append("started")

    def batch_done(self, training: Training) -> None:
        self.told.append("batch")

    def updated(self, training: Training, updates: Updates) -> None:
        assert updates.first == len(self.losses) + 1
        self.losses += updates.losses["loss"]

    def validating(self, training: Training, done: int, total: int) -> None:
        self.told.append(f"validating {done}/{total}")

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        self.told.append("epoch")
        self.epochs.append(epoch)

    def checkpoint_due(self, training: Training) -> None:
        self.told.append("checkpoint")

    def stopped(self, training: Training) -> None:
        self.told.append("stopped")


class Noisy(Observer):
    """Looks at everything at every occasion, as a doctor would, and leaves the randomness alone."""

    def batch_done(self, training: Training) -> None:
        sum(float(p.grad.norm()) for p in training.trainable() if p.grad is not None)

    def epoch_ended(self, training: Training, epoch: Epoch) -> None:
        with training.evaluated() as model, torch.inference_mode():
            model(torch.zeros(2, 1, 8, 8))


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Notes]:
    """A run of three epochs with all logs on."""
    notes = Notes()
    out = tmp_path_factory.mktemp("observers") / "run"
    run = tiny_run(out, observers=[notes], epochs=3, batch_size=32, **{"train.log": ["csv", "tensorboard"]})
    return run, notes


def test_an_observer_is_told_everything_in_its_order(logged: tuple[Run, Notes]) -> None:
    batch = ["batch"] * 3
    validation = [f"validating {i}/9" for i in range(1, 10)]
    assert logged[1].told == ["started", *[*batch, *validation, "epoch", "checkpoint"] * 3, "stopped"]


def test_an_epochs_loss_is_the_mean_over_its_pictures(logged: tuple[Run, Notes]) -> None:
    _, notes = logged
    shares = np.array([32, 32, 16]) / 80
    for epoch in notes.epochs:
        of_epoch = notes.losses[3 * (epoch.number - 1) : 3 * epoch.number]
        assert epoch.train["loss"] == pytest.approx(float(shares @ of_epoch), rel=1e-6)
        assert (epoch.samples, epoch.update) == (80, 3 * epoch.number)


def test_the_store_holds_every_update_and_a_row_an_epoch(logged: tuple[Run, Notes]) -> None:
    run, notes = logged
    store = run.folder.store()
    numbers, losses = store.updates("train.loss")
    assert (numbers, losses) == (list(range(1, 10)), notes.losses)
    assert [e[1:] for e in store.events()] == [("stopped", "the last epoch is done")]
    store.close()
    history = run.history
    assert [row["epoch"] for row in history] == [1, 2, 3]
    for row, epoch in zip(history, notes.epochs, strict=True):
        assert row["train.loss"] == epoch.train["loss"]
        assert row["validation.accuracy"] == epoch.validation["accuracy"]
        assert row["lr"] == epoch.lr
        assert row["updates"] == epoch.update
        assert row["best"] == float(epoch.best)
        assert all(row[name] >= 0 for name in TIMINGS)


def test_the_csv_has_a_row_an_epoch_and_a_column_a_metric(logged: tuple[Run, Notes]) -> None:
    run, _ = logged
    rows = list(csv.DictReader(io.StringIO((run.path / "metrics.csv").read_text())))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for row, kept in zip(rows, run.history, strict=True):
        assert {k: float(v) for k, v in row.items()} == kept


def test_a_csv_has_the_columns_of_all_its_rows() -> None:
    text = epochs_csv([{"epoch": 1, "lr": 0.5}, {"epoch": 2, "late": math.nan}])
    assert text.splitlines() == ["epoch,lr,late", "1,0.5,", "2,,nan"]


def test_an_epoch_row_joins_what_a_run_is_judged_by() -> None:
    epoch = Epoch(2, 10, {"loss": 0.5}, {"accuracy": 0.75}, 0.1, 2.0, 0.5, 80, True)
    assert epoch_row(epoch) == {
        "train.loss": 0.5, "validation.accuracy": 0.75, "lr": 0.1, "updates": 10, "best": 1.0,
        "seconds": 2.0, "validation_seconds": 0.5, "images_per_second": 40.0,
    }  # fmt: skip


def test_tensorboard_reads_the_same_numbers(logged: tuple[Run, Notes]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, notes = logged
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    losses = events.Scalars("updates/loss")
    assert [e.step for e in losses] == list(range(1, 10))
    assert [e.value for e in losses] == pytest.approx(notes.losses)
    assert [e.value for e in events.Scalars("validation/accuracy")] == pytest.approx(
        [row["validation.accuracy"] for row in run.history]
    )


def test_there_is_no_tensorboard_folder_and_no_csv_where_none_was_asked_for(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", **{"train.log": []})
    assert not (run.path / "tensorboard").exists()
    assert not (run.path / "metrics.csv").exists()


def test_observers_change_nothing(tmp_path: Path, logged: tuple[Run, Notes]) -> None:
    _, notes = logged
    plain = tiny_preparation(epochs=3, batch_size=32).training
    watched = tiny_preparation(epochs=3, batch_size=32).training
    kept = Notes()
    fit(plain, [kept])
    console = Console(file=io.StringIO(), force_terminal=True)
    fit(watched, [Noisy(), ProgressBar(console), Notes()])
    assert kept.losses == notes.losses  # bit for bit, with checkpoints, recorder, CSV and TensorBoard beside it
    assert_same_weights(weights_of(plain.model), weights_of(watched.model))


def test_no_randomness_is_drawn_by_the_recorders(tmp_path: Path) -> None:
    drawn: list[tuple[float, float, float]] = []

    class Draws(Observer):
        def stopped(self, training: Training) -> None:
            drawn.append((float(torch.rand(())), float(np.random.rand()), random.random()))

    tiny_run(tmp_path / "many", observers=[Draws()], **{"train.log": ["csv", "tensorboard"]})
    tiny_run(tmp_path / "few", observers=[Draws()], **{"train.log": []})
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("width", [40, 80])
def test_without_a_terminal_the_progress_is_a_line_an_epoch(width: int) -> None:
    text = io.StringIO()
    training = tiny_preparation(epochs=3).training
    fit(training, [ProgressBar(Console(file=text, width=width))])
    lines = text.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    for line in lines:
        assert "loss " in line
        assert "accuracy " in line
        assert "img/s" in line
        assert len(line) <= 80
    assert "★" in lines[0]  # the first epoch is the best so far


def test_in_a_terminal_a_bar_moves_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osler.training.progress.REFRESH", 0.0)
    text = io.StringIO()
    fit(
        tiny_preparation(epochs=2, batch_size=16).training,
        [ProgressBar(Console(file=text, force_terminal=True, width=100))],
    )
    shown = text.getvalue()
    assert "5/5" in shown
    assert "validating" in shown
    assert shown.count("epoch 2/2") > 1
    assert shown.rstrip().endswith(("\x1b[2K", "\x1b[?25h"))  # the bar's line is erased, the cursor is back


class Fails(Observer):
    """Ends a training, or only itself, with an error."""

    def __init__(self, at: str) -> None:
        self.at = at

    def batch_done(self, training: Training) -> None:
        if self.at == "batch" and training.position.update == 2:
            raise RuntimeError("the second update")

    def started(self, training: Training) -> None:
        if self.at == "start":
            raise RuntimeError("the start")

    def closed(self) -> None:
        if self.at == "end":
            raise RuntimeError("the end")


@pytest.mark.parametrize("at", ["batch", "start", "end"])
def test_observers_are_closed_whatever_happens(at: str) -> None:
    class Closes(Observer):
        def closed(self) -> None:
            closed.append(self)

    closed: list[Observer] = []
    text = io.StringIO()
    before, after = Closes(), Closes()
    bar = ProgressBar(Console(file=text, force_terminal=True, width=100))
    with pytest.raises(RuntimeError, match="the (second|start|end)"):
        fit(tiny_preparation(epochs=2, batch_size=32).training, [before, bar, Fails(at), after])
    assert set(closed) == {before, after}
    assert bar.bar is None or not bar.bar.live.is_started
    assert text.getvalue().count("\x1b[?25l") == text.getvalue().count("\x1b[?25h")  # the cursor is back


def test_tensorboards_files_are_closed_after_an_error(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path)
    with pytest.raises(RuntimeError, match="the second update"):
        fit(tiny_preparation(epochs=2, batch_size=32, checkpoint_every=1).training, [log, Fails("batch")])
    assert log._writer.file_writer is None
    TensorBoardLog(tmp_path).closed()  # of one that never began
