"""Early stopping is applied to an over-fitting run without being asked: what is shipped is the epoch that validated best."""

from pathlib import Path

import numpy as np
import pytest

import osler
from tiny_runs import shade_arrays, tiny_run


@pytest.mark.craft("TD20")
@pytest.mark.parametrize("patience", [0, 3])
def test_an_overfitting_run_ships_its_best_epoch_and_stops_within_its_patience(tmp_path: Path, patience: int) -> None:
    images, labels = shade_arrays(64)
    labels = np.where(np.random.default_rng(0).random(64) < 0.3, 1 - labels, labels)
    data = {"train": (images, labels), "validation": shade_arrays(32, seed=5)}
    run = tiny_run(
        tmp_path / "run", data=data, epochs=20, lr=0.01, optimizer="adamw", schedule="constant", monitor="loss",
        patience=patience,
    )  # fmt: skip
    losses = [row["validation.loss"] for row in run.history]
    best = int(np.argmin(losses)) + 1
    assert best < len(losses), "it goes on after its best epoch"
    assert losses[-1] > 1.1 * losses[best - 1], "and gets worse"
    assert len(losses) == (best + patience if patience else 20)
    assert run.artefact().facts["epoch"] == best
    again = osler.evaluate(run.path, data=shade_arrays(32, seed=5))
    assert again.metrics["loss"] == pytest.approx(losses[best - 1], rel=1e-5)
