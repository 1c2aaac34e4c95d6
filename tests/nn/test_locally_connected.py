"""Weights shared everywhere, by region, or nowhere."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.nn.locally_connected import LocallyConnected2d, RegionConv2d, grid_regions
from osler.structures.errors import RecipeError


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def some(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.craft("LA05")
@given(st.integers(1, 3), st.integers(1, 2), st.integers(0, 1))
def test_one_region_is_a_convolution(kernel: int, stride: int, padding: int) -> None:
    plain = nn.Conv2d(3, 4, kernel, stride, padding)
    x = some(2, 3, 7, 8)
    expected = plain(x)
    shared = RegionConv2d(
        3, 4, kernel, torch.zeros(expected.shape[2:], dtype=torch.long), stride=stride, padding=padding
    )
    shared.weight.data[0], shared.bias.data[0] = plain.weight.data, plain.bias.data
    torch.testing.assert_close(shared(x), expected, rtol=1e-5, atol=1e-5)
    assert count(shared) == count(plain)


@pytest.mark.craft("LA05")
def test_a_region_for_each_position_is_a_locally_connected_layer() -> None:
    own = LocallyConnected2d(2, 3, 3, (5, 6), padding=1)
    regions = RegionConv2d(2, 3, 3, torch.arange(30).reshape(5, 6), padding=1)
    regions.load_state_dict(own.state_dict())
    torch.testing.assert_close(own(some(2, 2, 5, 6)), regions(some(2, 2, 5, 6)), rtol=1e-5, atol=1e-5)
    by_position = torch.stack(
        [
            (
                nn.functional.pad(some(2, 2, 5, 6), [1] * 4)[:, None, :, i : i + 3, j : j + 3] * own.weight[i * 6 + j]
            ).sum((2, 3, 4))
            + own.bias[i * 6 + j]
            for i in range(5)
            for j in range(6)
        ],
        dim=2,
    )
    torch.testing.assert_close(own(some(2, 2, 5, 6)).flatten(2), by_position, rtol=1e-5, atol=1e-5)


@pytest.mark.craft("LA04", "LA05")
def test_parameters_by_how_far_weights_are_shared() -> None:
    """For the same output of 8x28x28 from 3x28x28: shared everywhere, by four regions, nowhere, and fully connected."""
    everywhere = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    by_region = RegionConv2d(3, 8, 3, grid_regions(28, 28, 2, 2), padding=1, bias=False)
    nowhere = LocallyConnected2d(3, 8, 3, (28, 28), padding=1, bias=False)
    with torch.device("meta"):
        full = nn.Linear(3 * 28 * 28, 8 * 28 * 28, bias=False)
    assert count(everywhere) == 3 * 8 * 9
    assert count(by_region) == 4 * count(everywhere)
    assert count(nowhere) == 28 * 28 * count(everywhere)
    assert count(full) == (3 * 28 * 28) * (8 * 28 * 28) > 80 * count(nowhere)


@pytest.mark.craft("LA06")
def test_an_output_depends_on_its_window_only() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 1, 3, padding=1)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0, 0, 4, 2], some(1, 1, 8, 8))[0, 0]
    outside = jacobian.clone()
    outside[3:6, 1:4] = 0
    assert not outside.any()
    assert jacobian[3:6, 1:4].all()


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_grid_has_regions_of_almost_one_size(height: int, width: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    regions = grid_regions(height, width, rows, columns)
    assert sorted(regions.unique().tolist()) == list(range(rows * columns))
    heights = (regions[:, 0] // columns).bincount()
    assert heights.max() - heights.min() <= 1


def test_another_size_of_picture_is_a_sentence() -> None:
    for layer in (LocallyConnected2d(1, 1, 3, (5, 5)), RegionConv2d(1, 1, 3, grid_regions(3, 3, 1, 2))):
        with pytest.raises(RecipeError, match="made for an output of 3x3; pictures of 6x5 give 4x3"):
            layer(some(1, 1, 6, 5))
    with pytest.raises(RecipeError, match="without gaps"):
        RegionConv2d(1, 1, 3, torch.tensor([[0, 2]]))
