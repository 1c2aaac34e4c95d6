"""`find_lr`: the range test on a person's own data and network."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from osler.structures.errors import OslerError
from osler.training.loop import fit
from osler.training.range_test import RangeTest
from osler.verbs.finding_lr import find_lr
from osler.verbs.preparing import Wishes
from tiny_runs import TINY, PlainNet, tiny_preparation


def range_of(optimizer: str = "momentum", **options: Any) -> RangeTest:
    torch.manual_seed(0)
    values = {k: v for k, v in TINY.items() if not k.startswith("model.")}
    wishes = Wishes(values=values | {"optimizer": optimizer, "batch_size": 32}, model=PlainNet())
    return find_lr(wishes, **({"low": 1e-5, "high": 100.0, "steps": 60} | options))


@pytest.fixture(scope="module")
def found() -> RangeTest:
    return range_of()


def test_the_suggested_rate_learns_and_a_far_larger_one_does_not(found: RangeTest) -> None:
    assert 1e-4 < found.suggestion < 2
    assert found.reason
    assert found.diverged_at is not None
    assert found.suggestion < found.diverged_at

    def loss_after(lr: float) -> float:
        torch.manual_seed(0)
        values = {"optimizer": "momentum", "batch_size": 32, "lr": lr, "epochs": 6, "schedule": "constant"}
        training = tiny_preparation(model=PlainNet(), **values).training
        fit(training, [])
        assert training.outcome is not None
        return training.outcome.losses["loss"]

    at, below, above = (loss_after(found.suggestion * f) for f in (1, 1e-3, 0.9 * found.diverged_at / found.suggestion))
    assert at < 0.7 * math.log(10)  # it learns
    assert below > 0.9 * at + 0.1  # too small: hardly anything moved
    assert not above < at  # too large: no better, or no number


def test_rates_rise_evenly_on_a_log_scale_until_the_loss_flies_away(found: RangeTest) -> None:
    assert found.lrs[0] == pytest.approx(1e-5)
    np.testing.assert_allclose(np.diff(np.log(found.lrs)), math.log(1e7) / 59)
    assert len(found.lrs) == len(found.losses) == len(found.smoothed) < 60
    assert found.losses[0] == pytest.approx(math.log(10), abs=0.5)  # nothing is known before the first update


def test_the_same_seed_finds_the_same_rate(found: RangeTest) -> None:
    assert range_of().losses.tolist() == found.losses.tolist()


def test_lbfgs_can_be_tested_too() -> None:
    assert range_of("lbfgs", low=1e-3, high=1.0, steps=10).suggestion > 0


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_curve_is_drawn_where_it_is_asked_for(tmp_path: Path, ending: str) -> None:
    plot = tmp_path / f"lr.{ending}"
    range_of(steps=10, plot=plot)
    content = plot.read_bytes()
    assert content.startswith(b"\x89PNG") if ending == "png" else b"<svg" in content


def test_nothing_else_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    range_of(steps=10)
    assert list(tmp_path.iterdir()) == []


def test_what_a_training_would_refuse_is_refused() -> None:
    with pytest.raises(OslerError):
        find_lr(Wishes(values=TINY | {"data": "nowhere"}))
