"""Inception blocks: what they cost, what they see, and what their factorisations save."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from osler.models.cost import multiply_adds
from osler.nn.inception import (
    RESIDUAL_A,
    V3_B,
    V3_D,
    V3_E,
    V4_A,
    V4_B,
    V4_C,
    C,
    InceptionResidual,
    ShrinkTo,
    inception,
    naive,
    unit,
    v1,
    v2,
    v2_reduction,
    v3_a,
    v3_c,
)


def weights(module: nn.Module) -> int:
    return sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Conv2d))


def shape(block: tuple, channels: int, side: int) -> tuple[int, ...]:
    module, out = inception(channels, block)
    y = module.eval()(torch.zeros(1, channels, side, side))
    assert y.shape[1] == out
    return tuple(y.shape[1:])


@pytest.mark.craft("AR06")
def test_the_5x5_of_the_naive_block_costs_a_hundred_and_twenty_million() -> None:
    block, out = inception(192, naive(64, 128, 32), "none")
    assert out == 64 + 128 + 32 + 192, "pooling passes all channels on: they only grow"
    assert multiply_adds(block.branches[2], 192, (28, 28)) == 28 * 28 * 32 * 25 * 192 == 120_422_400


@pytest.mark.craft("AR07")
def test_a_1x1_before_it_saves_nine_tenths() -> None:
    block, out = inception(192, v1(64, (96, 128), (16, 32), 32), "none")
    assert len(block.branches) == 4
    assert out == 256
    assert multiply_adds(block.branches[2], 192, (28, 28)) == 12_443_648
    assert shape(v1(64, (96, 128), (16, 32), 32), 192, 28) == (256, 28, 28)


@pytest.mark.craft("AR10", "LA09")
def test_two_3x3_see_what_a_5x5_sees_with_18_of_25_weights() -> None:
    five, _ = inception(8, ((C(8, 5),),), "none")
    two, _ = inception(8, ((C(8, 3), C(8, 3)),), "none")
    assert weights(two) * 25 == weights(five) * 18
    for block in (five, two):
        x = torch.zeros(1, 8, 11, 11, requires_grad=True)
        with torch.no_grad():
            for parameter in block.parameters():
                parameter.fill_(0.1)  # so that every activation lets gradients through
        block(x)[0, 0, 5, 5].backward()
        rows, columns = x.grad[0].sum(0).nonzero(as_tuple=True)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 7, 3, 7)
    assert len(inception(192, v2(64, (64, 64), (64, 96), 32))[0].branches[2]) == 3


@pytest.mark.craft("LA11", "AR11")
@pytest.mark.parametrize(("side", "share"), [(7, 14 / 49), (3, 6 / 9)])
def test_n_by_1_and_1_by_n_equal_a_kernel_of_rank_one(side: int, share: float) -> None:
    full, two = nn.Conv2d(4, 4, side, padding=side // 2, bias=False), None
    column, row = torch.randn(side), torch.randn(side)
    across, down = torch.randn(4, 4), torch.randn(4, 4)
    full.weight.data = torch.einsum("om,mi,h,w->oihw", down, across, column, row)
    x = torch.randn(2, 4, 9, 9)
    first = F.conv2d(x, torch.einsum("mi,w->miw", across, row)[:, :, None, :], padding=(0, side // 2))
    two = F.conv2d(first, torch.einsum("om,h->omh", down, column)[:, :, :, None], padding=(side // 2, 0))
    torch.testing.assert_close(two, full(x), rtol=1e-3, atol=1e-3)
    split = nn.Sequential(unit(4, C(4, (1, side)), "none"), unit(4, C(4, (side, 1)), "none"))
    assert weights(split) / full.weight.numel() == pytest.approx(share)


@pytest.mark.craft("AR11", "AR12")
@pytest.mark.parametrize(
    ("block", "before", "after"),
    [
        (v3_a(32), (192, 35), (256, 35, 35)),
        (V3_B, (288, 35), (768, 17, 17)),
        (v3_c(128), (768, 17), (768, 17, 17)),
        (V3_D, (768, 17), (1280, 8, 8)),
        (V3_E, (1280, 8), (2048, 8, 8)),
        (V4_A, (384, 35), (384, 35, 35)),
        (V4_B, (1024, 17), (1024, 17, 17)),
        (V4_C, (1536, 8), (1536, 8, 8)),
        (v2_reduction((128, 160), (64, 96)), (320, 28), (576, 14, 14)),
    ],
)
def test_maps_are_those_of_the_papers(block: tuple, before: tuple[int, int], after: tuple[int, ...]) -> None:
    assert shape(block, *before) == after


@pytest.mark.craft("AR13")
def test_a_residual_block_adds_a_scaled_part_to_its_input() -> None:
    torch.manual_seed(0)
    block = InceptionResidual(64, RESIDUAL_A, 0.17).eval()
    x = torch.randn(1, 64, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(block(x), torch.relu(x + 0.17 * block.project(block.mixed(x))))
        block.scale = 0.0
        assert torch.equal(block(x), torch.relu(x))


def test_a_head_takes_maps_of_any_size_and_published_ones_as_published() -> None:
    shrink = ShrinkTo(5, 3, 4)
    x = torch.randn(1, 2, 14, 14)
    assert torch.equal(shrink(x), F.avg_pool2d(x, 5, 3))
    for side in (1, 7, 13, 30):
        assert shrink(torch.randn(1, 2, side, side)).shape[2:] == (4, 4)
