"""Parallel branches: channels add, sizes must agree or are padded."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.nn.branches import Branches
from osler.structures.errors import RecipeError


@pytest.mark.craft("LA28", "AR14")
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(3, 6))
def test_channels_add_up_in_order(widths: list[int], side: int) -> None:
    branches = Branches(nn.Conv2d(3, width, 3, padding=1) for width in widths)
    x = torch.randn(2, 3, side, side)
    y = branches(x)
    assert y.shape == (2, sum(widths), side, side)
    assert torch.equal(y[:, : widths[0]], branches.branches[0](x))
    assert torch.equal(y[:, -widths[-1] :], branches.branches[-1](x))


@pytest.mark.craft("LA28")
def test_maps_of_other_sizes_are_refused_with_their_sizes() -> None:
    with pytest.raises(RecipeError, match="5x5, 3x3"):
        Branches([nn.Identity(), nn.Conv2d(3, 4, 3)])(torch.zeros(1, 3, 5, 5))
    with pytest.raises(RecipeError, match="at least one"):
        Branches([])


@pytest.mark.craft("AR14")
def test_padding_puts_smaller_maps_in_the_middle() -> None:
    small = nn.Conv2d(1, 1, 3)
    y = Branches([nn.Identity(), small], pad=True)(x := torch.randn(1, 1, 5, 5))
    assert torch.equal(y[:, :1], x)
    assert torch.equal(y[:, 1:, 1:4, 1:4], small(x))
    assert y[:, 1:].count_nonzero() == 9
