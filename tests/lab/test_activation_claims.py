"""What activations do to means, units and learning."""

import pytest
import torch
from torch import nn

from osler.lab.activation_claims import (
    activation_table,
    dead_by_learning_rate,
    learning_by_activation,
    saturated_share,
)
from osler.lab.plain_training import accuracy_of, fit, mlp, seeded

TABLE = {row.name: row for row in activation_table(timed=False)}


@pytest.mark.craft("AC06", "AC17", "AC18")
def test_means_under_a_standard_normal() -> None:
    expected = {"sigmoid": 0.5, "tanh": 0.0, "relu": 0.399, "elu": 0.161, "selu": 0.0, "leaky_relu": 0.395}
    for name, mean in expected.items():
        assert TABLE[name].mean == pytest.approx(mean, abs=0.005), name


@pytest.mark.craft("AC15")
def test_half_of_the_relus_are_silent_at_the_start() -> None:
    assert TABLE["relu"].zeros == pytest.approx(0.5, abs=0.01)
    with seeded(0):
        layer = nn.Sequential(nn.Linear(64, 512), nn.ReLU())
        silent = (layer(torch.randn(512, 64)) == 0).float().mean()
    assert float(silent) == pytest.approx(0.5, abs=0.03)
    assert TABLE["tanh"].zeros == TABLE["elu"].zeros == 0


@pytest.mark.craft("AC03", "AC04")
def test_slopes_far_from_zero() -> None:
    assert (TABLE["relu"].slope_far_left, TABLE["relu"].slope_far_right) == (0, 1)
    assert TABLE["leaky_relu"].slope_far_left == pytest.approx(0.01)
    assert TABLE["sigmoid"].slope_far_right < 1e-3 > TABLE["tanh"].slope_far_right


@pytest.mark.craft("AC03", "AC18")
def test_the_sigmoid_costs_more_than_relu() -> None:
    """A ratio in one run, with a wide margin: no exponential against one for each number."""
    rows = {row.name: row.slowness for row in activation_table(("relu", "sigmoid"))}
    assert rows["sigmoid"] > 1.2 * rows["relu"]


@pytest.mark.craft("AC13")
def test_wide_inputs_saturate_the_sigmoid_and_batch_norm_frees_it() -> None:
    assert saturated_share(10, normed=False) > 0.5
    assert saturated_share(10, normed=True) < 0.1


@pytest.mark.craft("AC14")
def test_units_die_with_the_learning_rate_and_the_cures_keep_them_alive() -> None:
    low, middle, high = dead_by_learning_rate()
    assert low < middle < high
    assert low <= 6
    assert high > 32
    for cure in ("leaky_relu", "elu", "prelu"):
        assert dead_by_learning_rate(name=cure) == [0, 0, 0]


@pytest.mark.craft("AC12")
def test_without_an_activation_two_layers_are_one_and_xor_is_out_of_reach() -> None:
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([0, 1, 1, 0])
    linear = fit(mlp(2, 8, 2, activation=nn.Identity), x, y, epochs=400)
    assert accuracy_of(linear, x, y) <= 0.75
    first, second = linear[0], linear[-1]
    one = x @ (second.weight @ first.weight).T + second.weight @ first.bias + second.bias
    torch.testing.assert_close(linear(x), one)
    bent = fit(mlp(2, 8, 2, activation=nn.Tanh), x, y, epochs=1200)
    assert accuracy_of(bent, x, y) == 1


@pytest.mark.craft("AC02", "AC18")
def test_in_depth_the_sigmoid_learns_slowest() -> None:
    rows = {row.name: row.accuracy for row in learning_by_activation()}
    assert min(rows, key=rows.__getitem__) == "sigmoid"
    assert rows["tanh"] > rows["sigmoid"] + 0.1
    assert rows["relu"] > 0.9
