"""Clipping: equal to PyTorch's own, and the norm before it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.training.clipping import clip_gradients


def parameters(seed: int, scale: float = 1.0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    made = [nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,), (2, 2, 2))]
    for p in made[:-1]:
        p.grad = torch.randn(p.shape, generator=generator) * scale
    return made  # the last has no gradient


def flat(found: list[nn.Parameter]) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in found if p.grad is not None])


@pytest.mark.craft("OP13")
@given(seed=st.integers(0, 99), bound=st.floats(0.01, 10))
def test_by_norm_and_by_value_equal_pytorch(seed: int, bound: float) -> None:
    one, two = parameters(seed), parameters(seed)
    expected = nn.utils.clip_grad_norm_(two, bound)
    assert clip_gradients(one, norm=bound) == expected
    assert torch.equal(flat(one), flat(two))
    one, two = parameters(seed), parameters(seed)
    nn.utils.clip_grad_value_(two, bound)
    assert clip_gradients(one, value=bound) == pytest.approx(expected.item())
    assert torch.equal(flat(one), flat(two))


@pytest.mark.craft("OP13")
@given(seed=st.integers(0, 99), scale=st.floats(1e-3, 1e3), norm=st.floats(0.01, 10), value=st.floats(0.01, 10))
def test_both_bounds_hold_and_the_norm_before_is_returned(seed: int, scale: float, norm: float, value: float) -> None:
    found = parameters(seed, scale)
    before = flat(found).norm().item()
    assert clip_gradients(found, norm=norm, value=value).item() == pytest.approx(before, rel=1e-5)
    assert flat(found).norm() <= norm * 1.001
    assert flat(found).abs().max() <= value
    assert found[-1].grad is None


def test_the_norm_alone_changes_nothing_and_no_gradient_has_norm_zero() -> None:
    found = parameters(0)
    before = flat(found).clone()
    assert clip_gradients(found) == pytest.approx(before.norm().item())
    assert torch.equal(flat(found), before)
    assert clip_gradients([nn.Parameter(torch.zeros(2))], norm=1.0) == 0
