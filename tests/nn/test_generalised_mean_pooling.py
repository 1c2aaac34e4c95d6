"""Generalised-mean pooling between the average and the maximum."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.nn.generalised_mean_pooling import GeneralisedMeanPool2d

maps = st.integers(0, 999).map(lambda s: torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(s)) + 0.01)


@settings(max_examples=25, deadline=None)
@given(x=maps, p=st.floats(0.3, 9))
def test_it_is_the_power_mean(x: torch.Tensor, p: float) -> None:
    expected = x.pow(p).mean((2, 3), keepdim=True).pow(1 / p)
    torch.testing.assert_close(GeneralisedMeanPool2d(p)(x), expected, rtol=1e-4, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(x=maps)
def test_1_is_the_average_and_a_large_power_the_maximum(x: torch.Tensor) -> None:
    torch.testing.assert_close(GeneralisedMeanPool2d(1.0)(x), x.mean((2, 3), keepdim=True))
    highest = x.amax((2, 3), keepdim=True)
    torch.testing.assert_close(GeneralisedMeanPool2d(2000.0)(x), highest, rtol=2e-3, atol=0)
    torch.testing.assert_close(GeneralisedMeanPool2d(2000.0)(1e4 * x), 1e4 * highest, rtol=2e-3, atol=0)


@settings(max_examples=25, deadline=None)
@given(x=maps, p=st.floats(0.5, 20), q=st.floats(0.5, 20))
def test_it_grows_with_the_power_and_keeps_the_scale(x: torch.Tensor, p: float, q: float) -> None:
    low, high = (GeneralisedMeanPool2d(v)(x) for v in sorted((p, q)))
    assert (low <= high + 1e-5).all()
    torch.testing.assert_close(GeneralisedMeanPool2d(p)(3 * x), 3 * GeneralisedMeanPool2d(p)(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("channels", [None, 3])
def test_the_power_is_learnt(channels: int | None) -> None:
    """Fitted to the maximum, it grows; all powers get a gradient."""
    torch.manual_seed(0)
    pool, x = GeneralisedMeanPool2d(3.0, channels=channels), torch.rand(8, 3, 4, 4)
    optimizer = torch.optim.SGD(pool.parameters(), lr=100.0)
    for _ in range(20):
        optimizer.zero_grad()
        (pool(x) - x.amax((2, 3), keepdim=True)).square().mean().backward()
        assert pool.p.grad.ne(0).all()
        optimizer.step()
    assert (pool.p > 5).all()
    assert pool.p.numel() == (channels or 1)


def test_zeros_have_finite_gradients_and_a_fixed_power_none() -> None:
    pool, x = GeneralisedMeanPool2d(), torch.zeros(1, 2, 3, 3, requires_grad=True)
    pool(x).sum().backward()
    assert x.grad.isfinite().all()
    assert pool.p.grad.isfinite().all()
    assert not [p for p in GeneralisedMeanPool2d(trained=False).parameters() if p.requires_grad]


@pytest.mark.parametrize("p", [0.0, -1.0, float("inf")])
def test_impossible_powers_are_refused(p: float) -> None:
    with pytest.raises(ValueError, match="finite p above 0"):
        GeneralisedMeanPool2d(p)
