"""Activations: formulas and derivatives against PyTorch's modules and autograd."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.nn.activations import activations, choose_activation
from osler.structures.errors import UnknownNameError

NAMES = list(activations)


@pytest.mark.craft("AC01", "AC02", "AC03", "AC04", "AC06", "AC08", "AC09")
@pytest.mark.parametrize("name", NAMES)
@given(x=st.floats(-30, 30, allow_nan=False, width=32))
def test_the_formula_is_pytorchs_module_and_the_derivative_its_gradient(name: str, x: float) -> None:
    activation = activations[name]
    z = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    expected = activation.make().double()(z)
    torch.testing.assert_close(activation.value(z.detach()), expected.detach(), rtol=1e-6, atol=1e-6)
    expected.backward()
    torch.testing.assert_close(activation.derivative(z.detach()), z.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_values_stay_in_the_range_and_reach_its_ends(name: str) -> None:
    activation = activations[name]
    y = activation.value(torch.linspace(-40, 40, 80_001, dtype=torch.float64))
    low, high = activation.range
    assert y.min() >= low - 1e-3
    assert y.max() <= high + 1e-3
    assert low == float("-inf") or y.min() <= low + 1e-3
    assert high == float("inf") or y.max() >= high - 1e-3
    ends = activation.derivative(torch.tensor([-40.0, 40.0], dtype=torch.float64)).abs() < 1e-3
    assert tuple(ends.tolist()) == activation.saturates


@pytest.mark.craft("AC01")
def test_the_sigmoid_is_symmetric_about_one_half_and_steepest_at_zero() -> None:
    sigmoid, x = activations["sigmoid"], torch.linspace(-20, 20, 401)
    torch.testing.assert_close(sigmoid.value(x) + sigmoid.value(-x), torch.ones_like(x))
    assert float(sigmoid.derivative(torch.zeros(1))) == 0.25 == float(sigmoid.derivative(x).max())


@pytest.mark.craft("AC02")
def test_tanh_is_a_sigmoid_of_twice_the_input_and_not_of_once() -> None:
    x = torch.linspace(-6, 6, 12_001, dtype=torch.float64)
    sigmoid = activations["sigmoid"].value
    torch.testing.assert_close(activations["tanh"].value(x), torch.tanh(x), rtol=0, atol=1e-7)
    wrong = ((2 * sigmoid(x) - 1) - torch.tanh(x)).abs()
    assert float(wrong.max()) == pytest.approx(0.3003, abs=1e-4)
    assert abs(float(x[wrong.argmax()])) == pytest.approx(1.061, abs=2e-3)


@pytest.mark.craft("AC05")
def test_the_slope_of_prelu_is_learnt_by_backpropagation() -> None:
    prelu = nn.PReLU()
    x = torch.tensor([-2.0, -1.0, 3.0])
    prelu(x).sum().backward()
    assert prelu.weight.grad.item() == -3, "the sum of the negative inputs"
    before = prelu.weight.item()
    torch.optim.SGD(prelu.parameters(), lr=0.1).step()
    assert prelu.weight.item() == pytest.approx(before + 0.3)


@pytest.mark.craft("AC08")
def test_h_swish_stays_close_to_swish() -> None:
    x = torch.linspace(-10, 10, 20_001)
    apart = (activations["h_swish"].value(x) - activations["swish"].value(x)).abs()
    assert float(apart.max()) == pytest.approx(0.1423, abs=1e-3), "at |x| = 3, where the hard one is at its end"
    assert abs(float(x[apart.argmax()])) == pytest.approx(3, abs=0.01)


@pytest.mark.craft("AC09")
def test_relu6_ends_at_six() -> None:
    assert activations["relu6"].value(torch.tensor([7.0])).item() == 6


@pytest.mark.craft("AC16")
def test_at_its_kink_relu_takes_the_left_derivative() -> None:
    z = torch.zeros(1, requires_grad=True)
    torch.relu(z).backward()
    assert z.grad.item() == 0 == activations["relu"].derivative(torch.zeros(1)).item()


@pytest.mark.craft("AC14")
def test_only_those_with_a_flat_left_half_can_die() -> None:
    assert {name for name in NAMES if activations[name].can_die} == {"relu", "h_swish"}
    for cure in ("leaky_relu", "elu", "prelu"):
        assert not activations[cure].can_die


@pytest.mark.craft("AC10")
@given(st.lists(st.floats(-1000, 1000), min_size=2, max_size=8), st.floats(-500, 500))
def test_softmax_sums_to_one_does_not_move_with_a_shift_and_has_its_jacobian(z: list[float], shift: float) -> None:
    logits = torch.tensor(z, dtype=torch.float64)
    p = torch.softmax(logits, 0)
    assert float(p.sum()) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(torch.softmax(logits + shift, 0), p, rtol=1e-6, atol=1e-9)
    jacobian = torch.autograd.functional.jacobian(lambda v: torch.softmax(v, 0), logits)
    torch.testing.assert_close(jacobian, torch.diag(p) - p[:, None] * p[None, :], rtol=1e-6, atol=1e-9)


@pytest.mark.craft("AC11")
@given(st.floats(-30, 30), st.floats(-30, 30))
def test_softmax_of_two_is_the_sigmoid_of_their_difference(a: float, b: float) -> None:
    pair = torch.tensor([a, b], dtype=torch.float64)
    torch.testing.assert_close(torch.softmax(pair, 0)[0], activations["sigmoid"].value(pair[0] - pair[1]))


@pytest.mark.craft("AC11")
def test_labels_that_may_all_hold_are_for_the_sigmoid() -> None:
    both = torch.tensor([4.0, 4.0, -4.0])
    assert (torch.sigmoid(both) > 0.5).tolist() == [True, True, False]
    assert float(torch.softmax(both, 0).max()) < 0.5 + 1e-3, "softmax makes them share one unit"


@pytest.mark.craft("AC18")
def test_the_chooser_gives_a_reason() -> None:
    assert choose_activation()[0] == "relu"
    assert choose_activation(norm=False)[0] == "elu"
    assert choose_activation(light=True)[0] == "h_swish"
    for place in ("number", "positive", "class", "label", "bounded"):
        name, reason = choose_activation(place=place)
        assert name in NAMES
        assert len(reason) > 20


def test_an_unknown_activation_offers_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="leaky_relu"):
        activations["leakyrelu"]
