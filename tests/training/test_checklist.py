"""What was set up and how the training went: each item of the procedure is on the run's record, with values."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from osler.training.checklist import DYNAMICS, SETUP, Checklist, one_time_setup, procedure
from osler.training.loop import fit
from osler.training.store import Store
from osler.verbs.run import Run
from tiny_runs import PlainNet, assert_same_weights, tiny_preparation, tiny_run, weights_of


def record(run: Run) -> dict[str, dict[str, Any]]:
    store = run.folder.store()
    try:
        return procedure(store)
    finally:
        store.close()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, dict[str, Any]]]:
    options = {"widths": [8, 16], "depth": 1, "dropout": 0.25}
    run = tiny_run(
        tmp_path_factory.mktemp("checklist") / "run",
        epochs=3, optimizer="nesterov", lr=0.05, batch_size=20, l1=1e-4,
        **{"model.options": options, "task.label_smoothing": 0.1, "train.clip_norm": 2.0},
    )  # fmt: skip
    return run, record(run)


@pytest.mark.craft("WF03")
def test_the_five_items_of_the_setup_are_executed_and_stored(stored: tuple[Run, dict[str, Any]]) -> None:
    run, written = stored
    setup = written["setup"]
    assert tuple(setup) == SETUP
    assert setup["activation"] == {"done": True, "functions": {"relu": 2}}
    mine = run.artefact().preprocessing
    assert setup["preprocessing"] == {
        "size": [8, 8], "channels": 1, "fit": "stretch", "crop_fraction": 1.0, "mirror": False,
        "mean": list(mine.mean), "std": list(mine.std),
    }  # fmt: skip
    check = setup["gradient_check"]
    assert (check["done"], check["passed"], check["pictures"]) == (True, True, 4)
    assert check["backpropagated"] == pytest.approx(check["measured"], rel=1e-2)
    regularisation = setup["regularisation"]
    assert regularisation["dropout"] == {"dropout": 0.25}
    assert regularisation["train.l1"] == 1e-4
    assert regularisation["task.label_smoothing"] == 0.1
    assert regularisation["train.weight_decay"] == run.recipe.value("train.weight_decay") == 5e-4
    assert regularisation["data.augment.preset"] == "none"


@pytest.mark.craft("WF03")
def test_the_initialisation_is_measured_on_the_weights_before_the_first_update() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 1000), nn.ReLU(), nn.Linear(1000, 10))
    nn.init.kaiming_normal_(model[1].weight)
    nn.init.zeros_(model[1].bias)
    nn.init.zeros_(model[3].weight)
    layers = one_time_setup(tiny_preparation(model=model).training)["initialisation"]["layers"]
    assert layers["1"]["gain"] == pytest.approx(2**0.5, rel=0.02)
    assert layers["1"]["spread"] == pytest.approx((2 / 64) ** 0.5, rel=0.02)
    assert (layers["1"]["zero_bias"], layers["3"]["zero_bias"]) == (True, False)
    assert (layers["3"]["gain"], layers["3"]["kind"]) == (0.0, "Linear")


@pytest.mark.craft("WF04")
def test_the_four_items_of_the_dynamics_are_stored_with_values(stored: tuple[Run, dict[str, Any]]) -> None:
    run, written = stored
    dynamics = written["dynamics"]
    assert tuple(dynamics) == DYNAMICS
    rates = dynamics["babysitting"]["lr"]
    assert rates == [row["lr"] for row in run.history]
    assert 0.05 > rates[0] > rates[1] > rates[2]  # cosine
    assert [row["train.loss"] for row in dynamics["babysitting"]["epochs"]] == [
        row["train.loss"] for row in run.history
    ]
    rule = dynamics["update_rule"]
    assert (rule["train.optimizer"], rule["train.schedule"], rule["train.clip_norm"]) == ("nesterov", "cosine", 2.0)
    decayed, plain = rule["groups"]["model"]["settings"]
    assert (decayed["nesterov"], decayed["momentum"], decayed["weight_decay"]) == (True, 0.9, 5e-4)
    assert plain["weight_decay"] == 0
    assert sum(rule["groups"]["model"]["parameters"]) == sum(p.numel() for p in run.artefact().model.parameters())
    assert dynamics["batch_norm"] == {"on": True, "layers": 2}
    assert dynamics["hyper_parameters"] == {}  # no search: see test_several_runs.py


@pytest.mark.craft("WF04")
def test_a_network_without_batch_norm_is_recorded_as_such(tmp_path: Path) -> None:
    written = record(tiny_run(tmp_path / "run", model=PlainNet()))
    assert written["dynamics"]["batch_norm"] == {"on": False, "layers": 0}
    assert written["setup"]["activation"]["functions"] == {"relu": 1}  # called as a function, not as a module


@pytest.mark.craft("WF03")
def test_a_network_whose_gradient_is_wrong_is_told_of(tmp_path: Path) -> None:
    class Detached(PlainNet):
        def forward(self, images: Tensor) -> Tensor:
            return self.head(torch.relu(self.hidden(images.flatten(1))).detach())

    run = tiny_run(tmp_path / "run", model=Detached())
    assert record(run)["setup"]["gradient_check"]["passed"] is False
    store = run.folder.store()
    events = [text for _, kind, text in store.events() if kind == "checklist"]
    store.close()
    assert len(events) == 1
    assert "gradient check failed" in events[0]


def test_what_cannot_be_checked_says_why_and_the_training_goes_on(tmp_path: Path) -> None:
    class Single(PlainNet):
        def forward(self, images: Tensor) -> Tensor:
            if images.dtype != torch.float32:
                raise RuntimeError("float32 only")
            return super().forward(images)

    run = tiny_run(tmp_path / "run", model=Single())
    assert record(run)["setup"]["gradient_check"] == {"done": False, "reason": "RuntimeError: float32 only"}
    assert len(run.history) == 1


def test_the_checklist_changes_nothing(tmp_path: Path) -> None:
    options = {"model.options": {"widths": [8], "depth": 1, "dropout": 0.5}, "epochs": 2}
    plain, watched = (tiny_preparation(**options).training for _ in range(2))
    store = Store(tmp_path / "run.db")
    torch.manual_seed(0)  # of dropout
    fit(plain, [])
    torch.manual_seed(0)
    fit(watched, [Checklist(store)])
    store.close()
    assert_same_weights(weights_of(plain.model), weights_of(watched.model))


def test_a_resumed_run_keeps_what_was_found_at_its_start(tmp_path: Path) -> None:
    store = Store(tmp_path / "run.db")
    training = tiny_preparation().training
    Checklist(store).started(training)
    before = store.fact("setup")
    for parameter in training.model.parameters():
        parameter.data.mul_(7)
    Checklist(store).started(training)
    assert store.fact("setup") == before
    store.close()
