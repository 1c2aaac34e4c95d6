"""Schedules: curves equal PyTorch's, resume is exact, groups keep their proportions."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler as reference

from osler.structures.errors import RecipeError
from osler.training.schedule import SCHEDULES, Schedule, build_schedule
from osler.training.section import TrainSection

PER_EPOCH, EPOCHS = 10, 6
TOTAL = PER_EPOCH * EPOCHS


def optimizer(kind: str = "momentum", lrs: tuple[float, ...] = (0.1, 0.02)) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in lrs]
    if kind == "adam":
        return torch.optim.Adam(groups, betas=(0.9, 0.99))
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9 if kind == "momentum" else 0.0)


def build(kind: str = "momentum", **values: object) -> Schedule:
    return build_schedule(TrainSection(**values), optimizer(kind), steps_per_epoch=PER_EPOCH, epochs=EPOCHS)


def ours(schedule: Schedule, updates: int = TOTAL, key: str = "lr") -> list[list[float]]:
    rows = []
    for update in range(updates):
        schedule.step(update)
        rows.append([g[key] if key != "betas" else g[key][0] for g in schedule.optimizer.param_groups])
    return rows


def theirs(make: object, kind: str = "momentum", key: str = "lr") -> list[list[float]]:
    theirs_optimizer = optimizer(kind)
    scheduler = make(theirs_optimizer)
    rows = []
    for _ in range(TOTAL):
        rows.append([g[key] if key != "betas" else g[key][0] for g in theirs_optimizer.param_groups])
        theirs_optimizer.step()
        scheduler.step()
    return rows


def warm(then: object, length: int = 15, restart: bool = True) -> object:
    def make(o: torch.optim.Optimizer) -> object:
        rise = reference.LinearLR(o, start_factor=1e-3, total_iters=length)
        if restart:
            return reference.SequentialLR(o, [rise, then(o)], [length])
        return reference.ChainedScheduler([rise, then(o)])

    return make


CASES = [
    ({"schedule": "constant"}, lambda o: reference.ConstantLR(o, factor=1.0)),
    ({"schedule": "step", "schedule_options": {"step": 2, "gamma": 0.5}}, lambda o: reference.StepLR(o, 20, 0.5)),
    (
        {"schedule": "multistep", "schedule_options": {"milestones": [3, 4.5]}},
        lambda o: reference.MultiStepLR(o, [30, 45]),
    ),
    ({"schedule": "multistep"}, lambda o: reference.MultiStepLR(o, [30, 45])),
    ({"schedule": "cosine"}, lambda o: reference.CosineAnnealingLR(o, TOTAL)),
    ({"schedule": "polynomial", "schedule_options": {"power": 0.9}}, lambda o: reference.PolynomialLR(o, TOTAL, 0.9)),
    ({"schedule": "onecycle"}, lambda o: reference.OneCycleLR(o, [0.1, 0.02], total_steps=TOTAL + 1)),
    ({"schedule": "constant", "warmup": 1.5}, lambda o: reference.LinearLR(o, start_factor=1e-3, total_iters=15)),
    ({"schedule": "cosine", "warmup": 1.5}, warm(lambda o: reference.CosineAnnealingLR(o, TOTAL - 15))),
    ({"schedule": "polynomial", "warmup": 1.5}, warm(lambda o: reference.PolynomialLR(o, TOTAL - 15))),
    (
        {"schedule": "step", "warmup": 1.5, "schedule_options": {"step": 1, "gamma": 0.5}},
        warm(lambda o: reference.StepLR(o, 10, 0.5), restart=False),
    ),
]


def words(value):
    """A test's name that is the same in every process."""
    return str(value) if isinstance(value, dict) else "reference"


@pytest.mark.craft("OP25")
@pytest.mark.parametrize(("values", "make"), [c for c in CASES if c[0]["schedule"] != "onecycle"], ids=words)
@pytest.mark.filterwarnings("ignore:The epoch parameter in:UserWarning")
def test_curves_equal_those_of_pytorch(values: dict, make: object) -> None:
    for row, expected in zip(ours(build(**values)), theirs(make), strict=True):
        assert row == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.craft("OP25")
@pytest.mark.parametrize("kind", ["momentum", "adam"])
@pytest.mark.parametrize(
    "options", [{}, {"anneal_strategy": "linear", "pct_start": 0.4, "three_phase": True}], ids=words
)
def test_onecycle_moves_rate_and_momentum_as_pytorch_does(kind: str, options: dict) -> None:
    def make(o: torch.optim.Optimizer) -> object:
        return reference.OneCycleLR(o, [0.1, 0.02], total_steps=TOTAL, **options)

    expected_optimizer = optimizer(kind)
    scheduler = make(expected_optimizer)
    schedule = build(kind, schedule="onecycle", schedule_options=options)
    key = "betas" if kind == "adam" else "momentum"
    for update in range(TOTAL):
        schedule.step(update)
        for group, expected in zip(schedule.optimizer.param_groups, expected_optimizer.param_groups, strict=True):
            assert group["lr"] == pytest.approx(expected["lr"], rel=1e-6, abs=1e-12)
            assert group[key] == pytest.approx(expected[key], rel=1e-9)
        expected_optimizer.step()
        if update + 1 < TOTAL:
            scheduler.step()


def test_onecycle_gives_no_momentum_to_an_optimiser_without() -> None:
    assert set(map(tuple, ours(build("sgd", schedule="onecycle"), key="momentum"))) == {(0.0, 0.0)}
    still = build("momentum", schedule="onecycle", schedule_options={"cycle_momentum": False})
    assert set(map(tuple, ours(still, key="momentum"))) == {(0.9, 0.9)}


@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_onecycle_bears_short_runs(total: int) -> None:
    for share in (0.0, 0.25, 0.5, 1.0):
        section = TrainSection(schedule="onecycle", schedule_options={"pct_start": share})
        schedule = build_schedule(section, optimizer(), steps_per_epoch=1, epochs=total)
        assert all(0 < lr <= 0.1 for lr, _ in ours(schedule, total))


SCORES = [0.5, 0.6, 0.6, 0.6, 0.59, 0.7, 0.7, 0.7, 0.70001, 0.2, float("nan"), 0.3, 0.3, 0.3]


@pytest.mark.craft("OP25")
@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("mode", ["rel", "abs"])
@pytest.mark.parametrize("cooldown", [0, 2])
def test_plateau_equals_that_of_pytorch(direction: str, mode: str, cooldown: int) -> None:
    options = {"factor": 0.3, "patience": 1, "threshold_mode": mode, "cooldown": cooldown, "min_lr": 0.005}
    expected = optimizer()
    scheduler = reference.ReduceLROnPlateau(expected, direction, **options)
    schedule = build(schedule="plateau", schedule_options=options)
    for score in SCORES:
        schedule.epoch_ended(score, direction=direction)
        scheduler.step(score)
        rows = [g["lr"] for g in schedule.optimizer.param_groups], [g["lr"] for g in expected.param_groups]
        assert rows[0] == pytest.approx(rows[1], rel=1e-9)
    assert rows[0][0] < 0.1


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_a_resumed_schedule_continues_exactly(name: str) -> None:
    options = {"plateau": {"patience": 0}, "step": {"step": 1}}.get(name, {})
    values = {"schedule": name, "schedule_options": options, "warmup": 0.0 if name == "onecycle" else 1.0}

    def run(schedule: Schedule, updates: range) -> list[float]:
        seen = []
        for update in updates:
            schedule.step(update)
            seen += [g["lr"] for g in schedule.optimizer.param_groups]
            if (update + 1) % PER_EPOCH == 0:
                schedule.epoch_ended(1.0, direction="max")
        return seen

    whole = run(build(**values), range(TOTAL))
    first, second = build(**values), build(**values)
    begun = run(first, range(25))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert [g["lr"] for g in second.optimizer.param_groups] == [g["lr"] for g in first.optimizer.param_groups]
    assert begun + run(second, range(25, TOTAL)) == whole
    assert len(set(whole)) > 2


@given(
    name=st.sampled_from(["constant", "step", "multistep", "cosine", "polynomial"]),
    warmup=st.floats(0, 3, allow_nan=False),
    update=st.integers(0, 200),
)
def test_the_factor_stays_between_nothing_and_one(name: str, warmup: float, update: int) -> None:
    schedule = build(schedule=name, warmup=warmup)
    assert 0 <= schedule.factor(update) <= 1 + 1e-12


def test_fractional_epochs_fall_at_the_right_update() -> None:
    section = TrainSection(schedule="step", schedule_options={"step": 0.1, "gamma": 0.5})
    schedule = build_schedule(section, optimizer(), steps_per_epoch=30, epochs=1)
    assert [schedule.factor(u) for u in range(7)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]


def test_cosine_and_polynomial_end_at_their_final_share() -> None:
    for name in ("cosine", "polynomial"):
        schedule = build(schedule=name, schedule_options={"final": 0.2})
        assert schedule.factor(0) == 1
        assert schedule.factor(TOTAL) == schedule.factor(TOTAL + 9) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"schedule": "step", "schedule_options": {"gama": 0.1}}, r"Did you mean 'gamma'\? Allowed: gamma, step"),
        ({"schedule": "constant", "schedule_options": {"gamma": 0.1}}, "It has no options"),
        ({"schedule": "multistep", "schedule_options": {"milestones": [4, 2]}}, "must ascend"),
        ({"schedule": "polynomial", "schedule_options": {"power": -1}}, r"power = -1 is not possible"),
        ({"schedule": "onecycle", "warmup": 1}, "rises by itself"),
        ({"schedule": "onecycle", "schedule_options": {"three_phase": True, "pct_start": 0.7}}, "at most 0.5"),
        ({"schedule": "cosine", "warmup": 6}, "never be reached"),
        ({"schedule": "plateau", "schedule_options": {"factor": 1.5}}, "factor"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(values: dict, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        build(**values)
