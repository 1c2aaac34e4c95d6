"""Parallel branches: channels add, sizes are checked or padded."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.nn.branches import Branches
from osler.structures.errors import RecipeError


def some(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.craft("LA28", "AR14")
@settings(max_examples=30, deadline=None)
@given(channels=st.lists(st.integers(1, 5), min_size=1, max_size=4), height=st.integers(1, 6), width=st.integers(1, 6))
def test_channels_add_and_each_branch_keeps_its_place(channels: list[int], height: int, width: int) -> None:
    branches = [nn.Conv2d(3, n, 3, padding=1) for n in channels]
    x = some(2, 3, height, width)
    together = Branches(branches)(x)
    assert together.shape == (2, sum(channels), height, width)
    for part, branch in zip(together.split(channels, dim=1), branches, strict=True):
        assert torch.equal(part, branch(x))


@pytest.mark.craft("LA28")
@pytest.mark.parametrize("other", [nn.Conv2d(3, 2, 3), nn.Conv2d(3, 2, (3, 1)), nn.MaxPool2d(2)])
def test_maps_of_different_sizes_are_refused(other: nn.Module) -> None:
    with pytest.raises(RecipeError, match="different sizes: 6x8, "):
        Branches([nn.Conv2d(3, 2, 1), other])(some(1, 3, 6, 8))


@pytest.mark.craft("AR14")
def test_smaller_maps_are_padded_to_the_largest_where_asked() -> None:
    x = some(2, 3, 9, 8)
    branches = [nn.Conv2d(3, 4, 1), nn.Conv2d(3, 5, 5), nn.MaxPool2d(2), nn.Conv2d(3, 1, (3, 1))]
    together = Branches(branches, pad=True)(x)
    assert together.shape == (2, 4 + 5 + 3 + 1, 9, 8)
    whole, framed, pooled, column = together.split([4, 5, 3, 1], dim=1)
    assert torch.equal(whole, branches[0](x))
    assert torch.equal(framed[:, :, 2:7, 2:6], branches[1](x))
    assert torch.equal(pooled[:, :, 2:6, 2:6], branches[2](x)), "an odd rest lies below and right"
    assert torch.equal(column[:, :, 1:8], branches[3](x))
    for part, inside in ((framed, branches[1](x)), (pooled, branches[2](x)), (column, branches[3](x))):
        assert part.count_nonzero() == inside.count_nonzero(), "all else is zero"


def test_the_largest_height_and_width_may_come_from_different_branches() -> None:
    branches = Branches([nn.Conv2d(1, 1, (3, 1)), nn.Conv2d(1, 1, (1, 3))], pad=True)
    assert branches(some(1, 1, 5, 7)).shape == (1, 2, 5, 7)


def test_gradient_comes_through_every_branch() -> None:
    branches = Branches([nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3)], pad=True)
    branches(some(1, 2, 5, 5)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in branches.parameters())


def test_no_branch_is_refused() -> None:
    with pytest.raises(RecipeError, match="at least one branch"):
        Branches([])
