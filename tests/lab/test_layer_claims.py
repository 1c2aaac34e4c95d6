"""What layers are for, and what they keep when a picture moves."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.lab.layer_claims import ablation, pooling_choice, reduction_choice


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.craft("LA14")
def test_the_maximum_finds_what_is_rare_and_the_mean_what_is_everywhere() -> None:
    table = pooling_choice(seeds=(0,))
    assert table["sparse"]["max"] > table["sparse"]["average"] + 0.1
    assert table["dense"]["average"] > table["dense"]["max"] + 0.1


@pytest.mark.craft("LA19")
def test_a_stride_in_the_place_of_pooling_stays_within_three_points() -> None:
    scores = reduction_choice(seeds=(0,))
    assert scores["pooling"] > 0.95
    assert scores["stride"] > scores["pooling"] - 0.03


@pytest.mark.craft("LA31")
def test_each_kind_of_layer_has_its_part() -> None:
    rows = {row.taken_out: row for row in ablation(seeds=(0,), epochs=20)}
    whole = rows["nothing"]
    assert whole.accuracy > 0.6
    for name in ("convolution", "activation"):
        assert rows[name].accuracy < whole.accuracy - 0.03, name
    assert rows["pooling"].parameters > 3 * whole.parameters, "without pooling the head grows"
    assert rows["fully connected"].accuracy < whole.accuracy - 0.03
    assert rows["fully connected"].parameters < whole.parameters / 10


@pytest.mark.craft("LA20")
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1), st.integers(3, 7))
def test_a_transposed_convolution_is_the_adjoint(kernel: int, stride: int, padding: int, size: int) -> None:
    padding = min(padding, kernel - 1)
    conv = nn.Conv2d(2, 3, kernel, stride, padding, bias=False).double().requires_grad_(False)
    back = nn.ConvTranspose2d(3, 2, kernel, stride, padding, bias=False).double().requires_grad_(False)
    back.weight.data = conv.weight.data
    y = some(1, 3, size, size).double()
    x = some(1, 2, *back(y).shape[2:], seed=1).double()
    assert back(y).shape[-1] == (size - 1) * stride - 2 * padding + kernel
    assert float((conv(x) * y).sum()) == pytest.approx(float((x * back(y)).sum()), abs=1e-5)


@pytest.mark.craft("LA21")
@given(st.integers(1, 3), st.integers(1, 4))
def test_pixel_shuffle_turns_channels_into_area_and_back(r: int, channels: int) -> None:
    x = some(2, channels * r * r, 3, 4)
    up = F.pixel_shuffle(x, r)
    assert up.shape == (2, channels, 3 * r, 4 * r)
    assert torch.equal(F.pixel_unshuffle(up, r), x)
    assert torch.equal(up[:, 0, 0, :r], x[:, :r, 0, 0]), "neighbours come from neighbouring channels"


@pytest.mark.craft("LA30")
def test_circular_convolution_moves_with_the_picture() -> None:
    conv = nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular").double().requires_grad_(False)
    x = some(1, 1, 8, 8).double()
    for shift in (1, 3):
        assert torch.equal(conv(x.roll((shift, shift), (2, 3))), conv(x).roll((shift, shift), (2, 3)))


@pytest.mark.craft("LA30")
def test_pooling_moves_with_shifts_of_its_stride_only() -> None:
    x = some(1, 1, 8, 8)
    pooled = F.max_pool2d(x, 2)
    assert torch.equal(F.max_pool2d(x.roll(2, 3), 2), pooled.roll(1, 3))
    by_one = F.max_pool2d(x.roll(1, 3), 2)
    assert not torch.equal(by_one, pooled)
    assert not torch.equal(by_one, pooled.roll(1, 3))


@pytest.mark.craft("LA30")
def test_the_mean_over_a_map_does_not_see_a_shift() -> None:
    x = some(1, 16, 8, 8)
    moved = x.roll((3, 5), (2, 3))
    assert float((moved.mean((2, 3)) - x.mean((2, 3))).abs().max()) < 3e-7
