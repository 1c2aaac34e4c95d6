"""Why weights must not start at zero."""

import pytest
from torch import nn

from osler.lab.zero_start import from_start


@pytest.mark.craft("IN01")
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_from_zero_only_the_last_bias_moves(activation: type[nn.Module]) -> None:
    run = from_start("zeros", activation=activation)
    assert {key for key, size in run.gradients.items() if size} == {"2.bias"}
    assert {key for key, size in run.moved.items() if size} == {"2.bias"}
    assert run.accuracy < 0.15


@pytest.mark.craft("IN01")
@pytest.mark.parametrize("name", ["zeros", "constant"])
def test_sigmoid_units_stay_copies_of_one_another(name: str) -> None:
    run = from_start(name, activation=nn.Sigmoid)
    assert run.moved["0.weight"] > 0.01
    assert run.rank == 1
    assert run.accuracy < 0.3


@pytest.mark.craft("IN01")
def test_logistic_regression_does_train_from_zero() -> None:
    run = from_start("zeros", activation=None)
    assert run.gradients["0.weight"] > 0
    assert run.rank == 9  # ten classes whose gradients sum to 0
    assert run.accuracy > 0.93


@pytest.mark.parametrize(("name", "activation"), [("he_normal", nn.ReLU), ("xavier_normal", nn.Sigmoid)])
def test_from_random_weights_all_units_differ(name: str, activation: type[nn.Module]) -> None:
    run = from_start(name, activation=activation)
    assert all(run.gradients.values())
    assert run.rank == 32
    assert run.accuracy > 0.93
