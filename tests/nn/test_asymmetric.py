"""Kernels of n x 1 and 1 x n in the place of n x n."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.nn.asymmetric import asymmetric, split_kernel
from osler.structures.errors import RecipeError


def weights(module: nn.Module) -> int:
    return sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Conv2d))


def square(inputs: int, outputs: int, kernel: int, seed: int = 0) -> nn.Conv2d:
    torch.manual_seed(seed)
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2).double().requires_grad_(False)


@torch.no_grad()
def composed(pair: nn.Module) -> torch.Tensor:
    """The kernel that a column and a row make together."""
    return torch.einsum("miy,omx->oiyx", pair.column.weight[..., 0], pair.row.weight[:, :, 0])


@pytest.mark.craft("LA11")
@pytest.mark.parametrize(("kernel", "ratio"), [(7, 14 / 49), (3, 6 / 9)])
def test_weights_fall_to_two_in_n(kernel: int, ratio: float) -> None:
    assert weights(asymmetric(16, 16, kernel)) / weights(square(16, 16, kernel)) == ratio
    assert asymmetric(4, 6, kernel)(torch.zeros(2, 4, 9, 11)).shape == (2, 6, 9, 11)


@pytest.mark.craft("LA11")
@settings(max_examples=20, deadline=None)
@given(kernel=st.sampled_from([3, 5, 7]), seed=st.integers(0, 99))
def test_a_kernel_of_rank_one_is_split_without_loss(kernel: int, seed: int) -> None:
    conv = square(1, 1, kernel, seed)
    conv.weight.copy_(torch.outer(torch.randn(kernel).double(), torch.randn(kernel).double())[None, None])
    images = torch.randn(2, 1, 8, 9).double()
    torch.testing.assert_close(split_kernel(conv, 1)(images), conv(images), rtol=0, atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(inputs=st.integers(1, 4), outputs=st.integers(1, 4), rank=st.integers(1, 3), seed=st.integers(0, 99))
def test_so_is_a_kernel_over_channels_whose_rank_the_middle_has(
    inputs: int, outputs: int, rank: int, seed: int
) -> None:
    torch.manual_seed(seed)
    pair, conv = asymmetric(inputs, outputs, 3, middle=rank).double().requires_grad_(False), square(inputs, outputs, 3)
    conv.weight.copy_(composed(pair))
    conv.bias.copy_(pair.row.bias)
    images = torch.randn(2, inputs, 6, 7).double()
    torch.testing.assert_close(conv(images), pair(images), rtol=0, atol=1e-10)
    torch.testing.assert_close(split_kernel(conv, rank)(images), conv(images), rtol=0, atol=1e-10)


def test_what_has_a_higher_rank_is_met_the_nearer_the_more_channels_lie_between() -> None:
    conv = square(4, 4, 3)
    errors = [float((composed(split_kernel(conv, middle)) - conv.weight).norm()) for middle in range(1, 13)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.1 * float(conv.weight.norm())
    assert errors[-1] < 1e-9


def test_type_mode_and_bias_stay() -> None:
    conv = nn.Conv2d(2, 3, 3, padding=1, bias=False).double().eval()
    pair = split_kernel(conv, 2)
    assert pair.row.bias is None
    assert pair.row.weight.dtype == torch.float64
    assert not pair.training
    assert pair.column.weight.requires_grad


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(2, 2, 3),
        nn.Conv2d(2, 2, 3, stride=2, padding=1),
        nn.Conv2d(2, 2, 3, padding=1, groups=2),
        nn.Conv2d(2, 2, (3, 5), padding=(1, 2)),
    ],
    ids=["unpadded", "stride", "groups", "oblong"],
)
def test_other_kinds_are_refused(conv: nn.Conv2d) -> None:
    with pytest.raises(RecipeError, match="Only a square convolution"):
        split_kernel(conv, 1)


@pytest.mark.parametrize("middle", [0, 7])
def test_a_middle_that_cannot_be_is_refused(middle: int) -> None:
    with pytest.raises(RecipeError, match="1 to 6 channels"):
        split_kernel(square(2, 3, 3), middle)
