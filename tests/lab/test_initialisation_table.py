"""Activations and gradients through thirty layers of 256 units, for each way to start them."""

import math
from functools import partial
from statistics import geometric_mean

import pytest

from osler.lab.initialisation_table import ACTIVATIONS, INITS, Signal, signal, signal_table
from osler.nn.initialisation import initialise

SEEDS = (0, 1, 2)


def over_seeds(init: str, activation: str, number: str) -> float:
    return geometric_mean(getattr(signal(init, activation, seed=seed), number) for seed in SEEDS)


@pytest.mark.craft("IN02")
def test_standard_normal_weights_saturate_tanh_and_blow_up_its_gradient_and_relu() -> None:
    """The inventory says inf for ReLU. In float32 30 layers reach 5e31, whose squares are beyond its range; 38 layers are."""
    tanh = signal("normal, std 1", "tanh")
    assert tanh.saturated == pytest.approx(0.91, abs=0.01)
    assert 1e13 < tanh.gradient_ratio < 1e15  # 4.9e13 measured; over seeds about 1e14
    relu = signal("normal, std 1", "ReLU")
    assert 1e30 < relu.last_spread < 1e33
    growth = (relu.spreads[-1] / relu.spreads[4]) ** (1 / 25)
    assert growth == pytest.approx(math.sqrt(256 / 2), rel=0.05)
    assert signal("normal, std 1", "ReLU", depth=40).last_spread == math.inf


@pytest.mark.craft("IN03")
def test_small_normal_weights_leave_nothing_after_thirty_layers() -> None:
    tanh = signal("normal, std 0.01", "tanh")
    assert 1e-25 < tanh.last_spread < 1e-23  # 1.2e-24 measured: 0.16 to the power of 30
    assert tanh.gradients[0] < 1e-20


@pytest.mark.craft("IN06")
def test_xavier_keeps_tanh_but_not_relu() -> None:
    assert over_seeds("Xavier", "tanh", "last_spread") == pytest.approx(0.12, abs=0.02)
    assert over_seeds("Xavier", "tanh", "gradient_ratio") == pytest.approx(1.3, abs=0.3)
    assert 0.5e-5 < over_seeds("Xavier", "ReLU", "last_spread") < 5e-5  # half the mean square is lost in each layer


@pytest.mark.craft("IN07")
def test_he_keeps_relu() -> None:
    """The inventory's 0.83 falling to 0.49 is one seed: the last layer's spread goes from 0.4 to 1.2 with the seed."""
    first = [signal("He", "ReLU", seed=seed).spreads[0] for seed in SEEDS]
    assert first == pytest.approx([0.825] * 3, abs=0.02)
    assert 0.3 < over_seeds("He", "ReLU", "last_spread") < 1.3
    assert 0.7 < over_seeds("He", "ReLU", "gradient_ratio") < 1.6


@pytest.mark.craft("IN07")
def test_dividing_xaviers_variance_by_two_is_the_wrong_way_round() -> None:
    halved = signal(
        "half", "ReLU", start=lambda model, _: initialise(model, "xavier_normal", options={"gain": 0.5**0.5})
    )
    assert (
        1e-10 < halved.last_spread < 5e-9
    )  # 4e-10 in the inventory: a quarter of the mean square is left by each layer
    doubled = partial(initialise, name="xavier_normal", options={"gain": 2**0.5})
    again = signal("double", "ReLU", start=lambda model, _: doubled(model))
    assert again.last_spread == pytest.approx(signal("He", "ReLU").last_spread, rel=1e-3)  # in square layers


@pytest.mark.craft("IN08")
def test_orthogonal_layers_keep_a_linear_signal_exactly() -> None:
    linear = signal("orthogonal", "linear")
    assert linear.spreads == pytest.approx([linear.spreads[0]] * 30, rel=1e-4)
    assert linear.last_spread == pytest.approx(0.999, abs=0.003)
    assert linear.gradient_ratio == pytest.approx(1.0, rel=0.01)


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, str], Signal]:
    return {(row.init, row.activation): row for row in signal_table()}


@pytest.mark.craft("IN12")
def test_the_table_has_seven_starts_and_four_activations(table: dict[tuple[str, str], Signal]) -> None:
    assert len(INITS) == 7
    assert len(ACTIVATIONS) == 4
    assert set(table) == {(init, activation) for init in INITS for activation in ACTIVATIONS}
    healthy = {
        key
        for key, row in table.items()
        if 0.1 < row.last_spread < 10 and 0.02 < row.gradient_ratio < 50 and row.saturated < 0.5
    }
    assert healthy == {
        ("Xavier", "linear"),
        ("Xavier", "tanh"),
        ("He", "tanh"),
        ("He", "ReLU"),
        ("orthogonal", "linear"),
        ("orthogonal", "tanh"),
        ("LSUV", "linear"),
        ("LSUV", "tanh"),
        ("LSUV", "ReLU"),
    }  # fmt: skip  (LSUV alone serves all but the sigmoid, which nothing serves: its slope is at most a quarter)


@pytest.mark.craft("IN01", "IN12")
def test_zeros_give_no_gradient_but_where_the_last_layer_sees_a_constant(table: dict[tuple[str, str], Signal]) -> None:
    for activation in ACTIVATIONS:
        row = table["zeros", activation]
        assert row.last_spread == 0
        assert not any(row.gradients[:-1])
        assert bool(row.gradients[-1]) == (activation == "sigmoid")  # whose units put out 0.5
