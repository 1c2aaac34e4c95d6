"""Losses of tasks with several steps: names that only some updates have, and names that recur, are kept apart and told."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from test_loop_carries_everything import source
from torch import nn
from toy_tasks import ToyGan, ToyPlayers

import osler
from osler.structures.batch import Batch
from osler.tasks.task import Losses, Step
from osler.training.observer import Observer, Updates
from osler.training.state import Training
from osler.verbs.run import Run
from tiny_runs import no_report


class Kept(Observer):
    """Keeps what it is told, and tells the task how many updates have been made."""

    def __init__(self, task: "Now") -> None:
        self.task = task
        self.columns: dict[str, list[float]] = {}

    def batch_done(self, training: Training) -> None:
        self.task.done = training.position.update

    def updated(self, training: Training, updates: Updates) -> None:
        for name, values in updates.losses.items():
            self.columns.setdefault(name, []).extend(values)


class Now(ToyGan):
    """Losses that are known beforehand: the discriminator's rises by one an update, the generator comes every third."""

    def __init__(self, names: tuple[str, str] = ("d_loss", "g_loss"), rounds: int = 1, every: int = 3) -> None:
        self.names, self.rounds, self.every = names, rounds, every
        self.done = 0

    def steps(self, model: nn.Module, batch: Batch) -> Iterator[Step]:
        number = self.done + 1

        def told(name: str, module: nn.Module, value: float) -> Any:
            def losses() -> Losses:
                still = sum(p.sum() for p in module.parameters()) * 0.0
                return {name: still + value}

            return losses

        for i in range(self.rounds):
            yield Step(told(self.names[0], model.discriminator, float(number + i)), "discriminator")
        if number % self.every == 0:
            yield Step(told(self.names[1], model.generator, 100.0 + number), "generator")


def trained(out: Path, task: Now, **values: Any) -> tuple[Run, Kept]:
    torch.manual_seed(0)
    kept = Kept(task)
    words = {"batch_size": 8, "epochs": 2, "schedule": "constant", "augment": "none", "precision": "float32"} | values
    with no_report():
        run = osler.train(data=source(), model=ToyPlayers(), task=task, out=out, quiet=True, observers=[kept], **words)
    return run, kept


def stored(run: Run, name: str) -> tuple[list[int], list[float]]:
    store = run.folder.store()
    try:
        return store.updates(f"train.{name}")
    finally:
        store.close()


def test_a_loss_of_every_third_update_is_told_where_it_is_and_averaged_over_its_own_pictures(tmp_path: Path) -> None:
    run, kept = trained(tmp_path / "run", Now(), **{"train.log": ["csv", "tensorboard"]})
    assert kept.columns["d_loss"] == [float(i) for i in range(1, 13)]
    assert [v for v in kept.columns["g_loss"] if not math.isnan(v)] == [103.0, 106.0, 109.0, 112.0]
    assert [i for i, v in enumerate(kept.columns["g_loss"], 1) if not math.isnan(v)] == [3, 6, 9, 12]
    assert stored(run, "g_loss") == ([3, 6, 9, 12], [103.0, 106.0, 109.0, 112.0])
    assert [row["train.g_loss"] for row in run.history] == [104.5, 110.5]
    assert [row["train.d_loss"] for row in run.history] == [3.5, 9.5]


def test_a_loss_that_comes_later_than_the_first_update_that_is_read_is_not_lost(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", Now(every=6), checkpoint_every=4)  # read after 4, 6, 8 ... updates
    assert stored(run, "g_loss") == ([6, 12], [106.0, 112.0])


def test_a_name_that_two_groups_have_is_told_for_each(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", Now(names=("loss", "loss"), every=1))
    assert stored(run, "loss")[1] == [float(i) for i in range(1, 13)]
    assert stored(run, "generator.loss")[1] == [100.0 + i for i in range(1, 13)]
    assert run.history[0]["train.loss"] == 3.5
    assert run.history[0]["train.generator.loss"] == 103.5


def test_of_several_steps_of_one_group_the_mean_is_told(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", Now(rounds=3))
    assert stored(run, "d_loss")[1] == [i + 1.0 for i in range(1, 13)]
    assert run.history[0]["train.d_loss"] == pytest.approx(4.5)
