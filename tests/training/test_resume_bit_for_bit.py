"""A run that is interrupted after some updates and goes on ends as one that never was: the whole state, bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch

import osler
from osler.training.checkpoint import read_checkpoint
from osler.training.observer import Epoch, Observer
from osler.training.recorder import TIMINGS
from osler.training.state import Training
from osler.verbs.run import Run
from tiny_runs import no_report, shade, shade_arrays, shade_folders, tiny_preparation, tiny_run, write_png

RECIPES: dict[str, tuple[int, dict[str, Any]]] = {  # updates until the interruption, in the middle of the second epoch
    "plateau and patience": (
        7,
        {
            "optimizer": "momentum", "lr": 0.2, "schedule": "plateau", "epochs": 6, "patience": 3,
            "schedule_options": {"patience": 0, "factor": 0.5},
        },
    ),
    "accumulation, one cycle, amsgrad, moving average": (
        4,
        {
            "optimizer": "adam", "optimizer_options": {"amsgrad": True}, "schedule": "onecycle", "accumulate": 2,
            "ema": 0.9, "epochs": 3, "mixup": 0.3,
        },
    ),
    "rmsprop, L1, balanced": (7, {"optimizer": "rmsprop", "l1": 1e-3, "data.sampler": "balanced", "epochs": 3}),
    "L-BFGS": (7, {"optimizer": "lbfgs", "memory_format": "contiguous", "epochs": 3, "schedule": "constant"}),
}  # fmt: skip


class StopAt(Observer):
    """Presses Ctrl-C during an update, counted from 1."""

    def __init__(self, update: int) -> None:
        self.update = update

    def batch_done(self, training: Training) -> None:
        if training.position.update == self.update:
            training.asked_to_stop = "Ctrl-C"


def whole_and_parts(place: Path, stop: int, **values: Any) -> tuple[Run, Run]:
    whole = tiny_run(place / "whole", **values)
    assert tiny_run(place / "parts", observers=[StopAt(stop)], **values).interrupted
    with no_report():
        return whole, osler.resume_run(place / "parts", quiet=True)


def assert_equal(one: Any, other: Any, place: str = "state") -> None:
    """Bit for bit, NaN equal to itself."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_equal(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), place
        for i, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f"{place}.{i}")
    else:
        assert one == other or (one != one and other != other), place


def history(run: Run) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in TIMINGS} for row in run.history]


@pytest.mark.parametrize("name", RECIPES)
def test_interrupted_and_resumed_it_ends_as_if_it_had_not_been(tmp_path: Path, name: str) -> None:
    stop, values = RECIPES[name]
    options = {"widths": [8, 16], "depth": 1, "dropout": 0.3}
    whole, parts = whole_and_parts(tmp_path, stop, batch_size=16, **values, **{"model.options": options})
    states = [read_checkpoint(run.folder.last)["state"] for run in (whole, parts)]
    assert_equal(*states)
    assert_equal(history(whole), history(parts), "history")
    assert whole.folder.best.read_bytes() == parts.folder.best.read_bytes()
    if "patience" in values:  # both rules came to bear
        assert len(whole.history) < values["epochs"] or whole.history[-1]["lr"] < values["lr"]


def test_a_resumed_run_counts_batches_of_which_no_picture_could_be_read(tmp_path: Path) -> None:
    photos = shade_folders(tmp_path / "photos", {"bright": 20, "dark": 20})
    for i in range(0, 20, 2):
        (photos / "dark" / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    values = {"data": photos, "batch_size": 1, "epochs": 2, "data.unreadable": 0.6, "data.validation": 0.2}
    whole, parts = whole_and_parts(tmp_path, 15, **values)
    assert whole.history[0]["updates"] < 32 < whole.history[1]["updates"]
    assert_equal(*(read_checkpoint(run.folder.last)["state"] for run in (whole, parts)))
    assert_equal(history(whole), history(parts), "history")


def test_a_recipe_that_is_read_again_makes_the_same_network(tmp_path: Path) -> None:
    """Pictures of about 75 pixels are made 64: small, but only once the size is chosen."""
    photos = tmp_path / "photos"
    for i in range(24):
        level, name = (60, "dark") if i % 2 else (190, "bright")
        write_png(photos / name / f"{i}.png", shade(i, level, size=70 + i % 8))
    base = {"data": photos, "epochs": 1, "augment": "none", "model.name": "resnet18", "model.weights": "none"}
    base["model.options"] = {"width": 0.125}
    with no_report():
        run = osler.train(out=tmp_path / "first", quiet=True, **base)
        again = osler.train(run.folder.recipe_path, out=tmp_path / "again", quiet=True)
        assert osler.resume_run(run.path, overrides=["epochs=2"], quiet=True).history[-1]["epoch"] == 2
    assert run.recipe.recipe.model.size == (64, 64)
    assert again.recipe.recipe.model == run.recipe.recipe.model
    shapes = [{k: v.shape for k, v in r.artefact().model.state_dict().items()} for r in (run, again)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("size", "stem"), [(48, "small"), (96, None)])
def test_the_stem_is_that_of_the_size_that_the_person_set(size: int, stem: str | None) -> None:
    values: dict[str, Any] = {"model.name": "resnet18", "model.options": {}, "model.size": size}
    section = tiny_preparation(data=shade_arrays(20), **values).training.recipe.recipe.model
    assert section.options.get("stem") == stem


def test_the_time_of_a_run_is_the_sum_of_its_sessions(tmp_path: Path) -> None:
    class Slow(Observer):
        def epoch_ended(self, training: Training, epoch: Epoch) -> None:
            clock.append(clock[-1] + 100.0)

    clock = [0.0]
    with pytest.MonkeyPatch.context() as patch, no_report():
        for place in ("osler.training.recorder", "osler.verbs.train"):
            patch.setattr(f"{place}.time.perf_counter", lambda: clock[-1])
        tiny_run(tmp_path / "run", observers=[Slow(), StopAt(6)], epochs=3, batch_size=32)
        run = osler.resume_run(tmp_path / "run", observers=[Slow()], quiet=True)
    assert run.facts()["timing"]["whole run"] == pytest.approx(300.0)
