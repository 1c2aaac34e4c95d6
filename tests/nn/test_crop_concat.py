"""Crop and concatenate, with U-Net's own sizes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.nn.crop_concat import centre_crop, crop_concat
from osler.structures.errors import RecipeError


@pytest.mark.craft("LA29")
def test_a_picture_of_572_meets_the_crops_of_u_nets_figure() -> None:
    """Two unpadded 3x3 convolutions a level and 2x2 pooling down, 2x2 up-convolution up: figure 1."""
    with torch.device("meta"):
        twice = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
        after = nn.Sequential(nn.Conv2d(2, 1, 3), nn.Conv2d(1, 1, 3))
        x, kept = torch.zeros(1, 1, 572, 572), []
        for _ in range(4):
            x = twice(x)
            kept.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x, crops = twice(x), []
        for early in reversed(kept):
            x = nn.functional.interpolate(x, scale_factor=2)
            crops.append((early.shape[-1], x.shape[-1]))
            x = after(crop_concat(early, x))
    assert crops == [(64, 56), (136, 104), (280, 200), (568, 392)]
    assert x.shape[-1] == 388


@pytest.mark.craft("LA29")
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_the_middle_is_kept(tall: int, wide: int, more: int, wider: int) -> None:
    x = torch.arange(float((tall + more) * (wide + wider))).reshape(1, 1, tall + more, wide + wider)
    late = torch.zeros(1, 2, tall, wide)
    y = crop_concat(x, late)
    assert y.shape == (1, 3, tall, wide)
    assert torch.equal(y[:, :1], x[:, :, more // 2 : more // 2 + tall, wider // 2 : wider // 2 + wide])


def test_a_smaller_early_map_is_a_sentence() -> None:
    with pytest.raises(RecipeError, match="3x3 cannot be cut to 4x3"):
        centre_crop(torch.zeros(1, 1, 3, 3), (4, 3))
