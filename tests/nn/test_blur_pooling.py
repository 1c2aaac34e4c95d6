"""Blur pooling: binomial filters, sizes, and answers that change less when the picture moves."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import nn

from osler.nn.blur_pooling import BlurPool2d, conv_blur_pool, max_blur_pool


@pytest.mark.parametrize(("kernel", "line"), [(3, [1, 2, 1]), (5, [1, 4, 6, 4, 1])])
def test_a_point_becomes_the_binomial_filter(kernel: int, line: list[int]) -> None:
    x = torch.zeros(1, 2, 11, 11)
    x[0, 1, 5, 5] = 1.0
    spread, border = BlurPool2d(kernel, stride=1)(x), kernel // 2
    weights = torch.tensor(line).float() / sum(line)
    expected = torch.zeros(11, 11)
    expected[5 - border : 6 + border, 5 - border : 6 + border] = torch.outer(weights, weights)
    torch.testing.assert_close(spread[0, 1], expected)
    assert not spread[0, 0].any(), "channels do not mix"


@settings(max_examples=25, deadline=None)
@given(kernel=st.sampled_from([3, 5]), stride=st.integers(1, 3), height=st.integers(3, 12), width=st.integers(3, 12))
def test_even_maps_stay_and_sizes_are_divided(kernel: int, stride: int, height: int, width: int) -> None:
    out = BlurPool2d(kernel, stride=stride)(torch.full((2, 3, height, width), 1.7))
    assert out.shape == (2, 3, -(-height // stride), -(-width // stride))
    torch.testing.assert_close(out, torch.full_like(out, 1.7))


@pytest.mark.parametrize("kernel", [3, 5])
def test_what_the_smaller_map_cannot_show_is_gone(kernel: int) -> None:
    """A chessboard, the finest pattern: plain subsampling turns it into an even map, which is aliasing."""
    chessboard = (torch.arange(12)[:, None] + torch.arange(12)).remainder(2).mul(2).sub(1).float()[None, None]
    assert chessboard[:, :, ::2, ::2].abs().min() == 1
    assert BlurPool2d(kernel)(chessboard).abs().max() < 1e-6


def test_nothing_is_trained_or_stored_and_other_kernels_are_refused() -> None:
    pool = BlurPool2d(3)
    assert not list(pool.parameters())
    assert not pool.state_dict()
    assert pool.double()(torch.rand(1, 1, 4, 4, dtype=torch.float64)).dtype == torch.float64
    with pytest.raises(ValueError, match="kernels of 3 and 5"):
        BlurPool2d(4)


def test_pools_and_convolutions_with_a_blur_have_the_strided_ones_sizes() -> None:
    x = torch.rand(1, 2, 9, 14)
    assert max_blur_pool()(x).shape == nn.MaxPool2d(2)(x).shape == (1, 2, 4, 7)
    assert max_blur_pool(5, window=3)(x).shape == nn.MaxPool2d(3, 2, padding=1)(x).shape == (1, 2, 5, 7)
    assert conv_blur_pool(2, 6)(x).shape == nn.Conv2d(2, 6, 3, stride=2, padding=1)(x).shape == (1, 6, 5, 7)


def movement(pools: list[nn.Module]) -> float:
    """How far the features of a digit are from those of the digit one pixel down and right, as a share of their size.

    Two random convolutions, each behind a pooling, then the mean over positions; real digits on an empty ground.
    """
    torch.manual_seed(0)
    digits = torch.from_numpy(load_digits().images[:64]).float()[:, None] / 16
    convolutions = [nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)]
    layers = [m for c, pool in zip(convolutions, pools, strict=True) for m in (c, nn.ReLU(), pool)]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with torch.no_grad():
        here, there = (network(nn.functional.pad(digits, (6 + d, 6 - d, 6 + d, 6 - d))) for d in (0, 1))
        spread = (here - here.mean(0)).norm(dim=1).mean()
        return float((here - there).norm(dim=1).mean() / spread)


def test_answers_change_less_when_the_picture_moves() -> None:
    """Zhang 2019: blurred pooling is nearer to shift-invariance than strided pooling, the wider filter more so."""
    strided = movement([nn.MaxPool2d(2), nn.MaxPool2d(2)])
    three, five = (movement([max_blur_pool(k), max_blur_pool(k)]) for k in (3, 5))
    assert three < 0.5 * strided
    assert five < three
    thinned = movement([nn.MaxPool2d(1, 2), nn.MaxPool2d(1, 2)])  # a stride alone, as in a strided convolution
    assert movement([BlurPool2d(3), BlurPool2d(3)]) < 0.5 * thinned
