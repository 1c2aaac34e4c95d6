"""Bilinear pooling: which features meet."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.nn.bilinear_pooling import BilinearPool2d, outer_mean


@pytest.mark.craft("AR28")
@settings(max_examples=20, deadline=None)
@given(channels=st.integers(1, 5), others=st.integers(1, 5), side=st.integers(1, 4), seed=st.integers(0, 99))
def test_it_is_the_rooted_mean_of_outer_products(channels: int, others: int, side: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(2, channels, side, side, generator=generator, dtype=torch.float64)
    b = torch.randn(2, others, side, side, generator=generator, dtype=torch.float64)
    out = BilinearPool2d(eps=1e-14)(a, b)
    for i in range(2):
        products = sum(torch.outer(a[i, :, r, c], b[i, :, r, c]) for r in range(side) for c in range(side))
        rooted = (products.sign() * products.abs().sqrt()).flatten()
        torch.testing.assert_close(out[i], rooted / rooted.norm(), rtol=1e-4, atol=1e-4)


@pytest.mark.craft("AR28")
def test_it_sees_which_features_meet_where_the_average_does_not() -> None:
    together, apart = torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2)
    together[0, 0, 0, 0] = together[0, 1, 0, 0] = 1.0
    apart[0, 0, 0, 0] = apart[0, 1, 0, 1] = 1.0
    assert torch.equal(together.mean((2, 3)), apart.mean((2, 3)))
    assert outer_mean(together, together)[0, 0, 1] == 0.5
    assert outer_mean(apart, apart)[0, 0, 1] == 0
    assert not torch.allclose(BilinearPool2d()(together), BilinearPool2d()(apart))


def test_places_do_not_matter() -> None:
    x = torch.randn(1, 4, 3, 5)
    moved = x.flatten(2)[:, :, torch.randperm(15, generator=torch.Generator().manual_seed(0))].view(1, 4, 5, 3)
    torch.testing.assert_close(BilinearPool2d()(moved), BilinearPool2d()(x))


def test_silent_features_have_finite_gradients() -> None:
    x = torch.zeros(2, 3, 4, 4)
    x[0, 0] = 1.0
    x.requires_grad_()
    out = BilinearPool2d()(x)
    assert out[0].norm().item() == pytest.approx(1)
    assert not out[1].any()
    out.square().sum().backward()
    assert x.grad.isfinite().all()


def test_two_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="same positions"):
        BilinearPool2d()(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 4, 4))
