"""The five steps of a training, in the log of our trainer; and what a forward pass is made of."""

from pathlib import Path
from typing import Any

import pytest

from osler.lab.five_steps import FiveSteps
from osler.lab.forward_operations import forward_operations
from tiny_runs import tiny_run


@pytest.mark.craft("FB12")
def test_the_trainer_goes_through_the_five_steps_and_stops_when_it_no_longer_gets_better(tmp_path: Path) -> None:
    seen = FiveSteps()
    run = tiny_run(
        tmp_path / "run", observers=[seen], epochs=40, lr=1e-7, patience=2, schedule="constant", batch_size=32
    )
    steps = [entry.step for entry in seen.log]
    assert steps[0] == 1
    assert "weights" in str(seen.log[0])
    passes = [s for s in steps if s in (2, 3, 4)]
    updates = len(passes) // 3
    assert updates == len(seen.losses) > 0
    assert passes == [2, 3, 4] * updates, "forward and loss, backward, update, again and again"
    assert steps[-2:] == [5, 5]
    epochs = steps.count(5) - 1
    assert epochs < 40, "by the test, not by the number of epochs"
    assert "has not improved for 2 epochs" in seen.log[-1].says
    assert [entry.update for entry in seen.log if entry.step == 4] == list(range(updates))
    assert run.metrics


@pytest.mark.craft("FB12")
def test_without_the_test_it_goes_on_to_the_last_epoch(tmp_path: Path) -> None:
    seen = FiveSteps()
    kept: dict[str, Any] = {"epochs": 4, "lr": 1e-7, "schedule": "constant", "batch_size": 32}
    plain, watched = tiny_run(tmp_path / "plain", **kept), tiny_run(tmp_path / "run", observers=[seen], **kept)
    assert seen.log[-1].says == "the last epoch is done"
    assert sum(entry.step == 5 for entry in seen.log) == 5
    assert plain.metrics == watched.metrics, "looking changes nothing"
    assert len(str(seen.log[1])) > 20


@pytest.mark.craft("FB13")
@pytest.mark.parametrize("seed", [0, 1])
def test_each_operation_alone_is_pytorchs(seed: int) -> None:
    found = {operation.name: operation for operation in forward_operations(seed=seed)}
    assert {"convolution", "1x1 convolution", "max pooling", "average pooling", "relu", "batch norm", "dropout",
            "fully connected"} <= set(found)  # fmt: skip
    for operation in found.values():
        assert operation.by_hand.shape == operation.by_torch.shape
        assert operation.difference < 1e-5, operation.name
        assert float(operation.by_hand.std()) > 0.1, operation.name
    assert float((found["dropout"].by_hand == 0).float().mean()) == pytest.approx(0.4, abs=0.1)
