"""By what a training is judged: refused before the first update where that cannot be, and in the right direction."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from osler.reports.content import ReportContent
from osler.structures.errors import RecipeError
from osler.tasks.classification import Classification
from tiny_runs import PlainNet, shade_arrays, tiny_preparation, tiny_run

ALONE = {"data": shade_arrays(40), "data.validation": 0.0}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"patience": 3}, "train.patience=3 would"),
        ({"schedule": "plateau"}, "train.schedule=plateau would"),
        ({"monitor": "loss"}, "train.monitor=loss would"),
        ({"patience": 3, "schedule": "plateau"}, "train.patience=3 and train.schedule=plateau would"),
    ],
)
def test_what_waits_for_a_validation_is_refused_where_there_is_none(values: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=rf"no validation pictures.*{said} wait for ever.*data\.validation"):
        tiny_preparation(**ALONE, **values)
    tiny_preparation(**ALONE)
    tiny_preparation(**ALONE | {"data.validation": 0.25}, **values)


def test_a_monitor_that_the_task_does_not_have_is_refused_before_the_first_update() -> None:
    with pytest.raises(RecipeError, match=r"train\.monitor=acuracy is no metric of classification.*accuracy, .*, loss"):
        tiny_preparation(monitor="acuracy")
    images, labels = shade_arrays(40)
    with pytest.raises(RecipeError, match=r"train\.monitor=accuracy is no metric of regression.*mae, rmse, r2, loss"):
        tiny_preparation(data=(images, labels.astype(np.float32) + 0.5), monitor="accuracy")


def test_trying_the_metrics_changes_nothing() -> None:
    states = []
    for monitor in ("auto", "f1"):
        training = tiny_preparation(monitor=monitor, **{"model.options.dropout": 0.5}).training
        states.append((torch.get_rng_state(), [p.detach().clone() for p in training.model.parameters()]))
        assert training.model.training
    assert torch.equal(states[0][0], states[1][0])
    assert all(torch.equal(a, b) for a, b in zip(states[0][1], states[1][1], strict=True))


def test_a_metric_that_wants_more_than_a_batch_is_left_to_the_first_validation(tmp_path: Path) -> None:
    class Demanding(Classification):
        name = "demanding"

        def metrics(self, outcome: Any) -> dict[str, float]:
            if len(outcome.indices) < 20:
                raise ValueError("too few")
            return super().metrics(outcome) | {"own": 1.0}

    values = {"data": (shade_arrays(40), shade_arrays(40)), "batch_size": 8}
    data = {"train": shade_arrays(40), "validation": shade_arrays(40, seed=1)}
    run = tiny_run(tmp_path / "run", **values | {"data": data}, task=Demanding(("a", "b")), monitor="own")
    assert run.history[0]["validation.own"] == 1.0


@pytest.mark.parametrize(
    ("monitor", "direction"),
    [("auto", "max"), ("f1", "max"), ("loss", "min"), ("calibration_error", "min")],
)
def test_the_report_is_told_in_which_direction_the_monitored_metric_is_better(
    tmp_path: Path, monitor: str, direction: str
) -> None:
    with patch("osler.verbs.finishing.write_report") as written:
        run = tiny_run(tmp_path / "run", monitor=monitor, epochs=3, lr=0.1, report=True)
    content: ReportContent = written.call_args.args[0]
    name = "accuracy" if monitor == "auto" else monitor
    assert (content.result.monitor, content.result.direction) == (name, direction)
    values = [row[f"validation.{name}"] for row in run.history]
    best = max(values) if direction == "max" else min(values)
    assert values[content.result.best_epoch - 1] == best


def test_a_task_of_ones_own_says_itself_what_is_better() -> None:
    images, labels = shade_arrays(40)
    data = (images, labels.astype(np.float32) + 0.5)
    for monitor, direction in {"auto": "min", "mae": "min", "rmse": "min", "r2": "max"}.items():
        assert tiny_preparation(data=data, model=PlainNet(1), monitor=monitor).training.direction == direction
