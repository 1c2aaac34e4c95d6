"""The losses of numbers, filed from PyTorch as they are: the values that the field quotes, and their slopes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.losses.registry import losses

errors = st.lists(st.floats(-50, 50), min_size=1, max_size=8)

BY_HAND = {
    "mse": (lambda x: x**2, lambda x: 2 * x),
    "mae": (abs, lambda x: (x > 0) - (x < 0)),
    "huber": (lambda x: x**2 / 2 if abs(x) < 1 else abs(x) - 0.5, lambda x: max(-1, min(1, x))),
    "smooth_l1": (lambda x: x**2 / 2 if abs(x) < 1 else abs(x) - 0.5, lambda x: max(-1, min(1, x))),
}


@pytest.mark.craft("LO02")
@pytest.mark.parametrize("name", BY_HAND)
@settings(max_examples=25, deadline=None)
@given(errors)
def test_values_and_slopes_are_the_formulas(name, errors):
    value, slope = BY_HAND[name]
    outputs = torch.tensor(errors, dtype=torch.float64, requires_grad=True)
    loss = losses[name].function(outputs, torch.zeros(len(errors), dtype=torch.float64), reduction="none")
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([value(x) for x in errors])
    assert outputs.grad.tolist() == pytest.approx([slope(x) for x in errors])


@pytest.mark.craft("LO05")
def test_smooth_l1_is_fast_r_cnns():
    errors = torch.tensor([0.5, 1.0, 2.0, -30.0], requires_grad=True)
    loss = losses["smooth_l1"].function(errors, torch.zeros(4), reduction="none")
    assert loss[:3].tolist() == [0.125, 0.5, 1.5]
    loss.sum().backward()
    assert errors.grad.tolist() == [0.5, 1, 1, -1]  # clipped at +-1
