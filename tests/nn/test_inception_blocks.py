"""Inception blocks of four generations: what they cost, what they see, what comes out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from osler.models.cost import multiply_adds
from osler.nn.inception import (
    RESIDUAL_A,
    RESIDUAL_B,
    RESIDUAL_C,
    V3_B,
    V3_D,
    V3_E,
    V4_A,
    V4_B,
    V4_C,
    V4_REDUCTION_A,
    V4_REDUCTION_B,
    Block,
    C,
    InceptionResidual,
    ShrinkTo,
    chain,
    inception,
    naive,
    v1,
    v2,
    v2_reduction,
    v3_a,
    v3_c,
    wider,
)

TABLE_3A = v1(64, (96, 128), (16, 32), 32)  # Szegedy et al. 2014, table 1


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


def weights(module: nn.Module) -> int:
    return sum(m.weight.numel() for m in convolutions(module))


def cost(module: nn.Module, channels: int, side: int) -> int:
    return multiply_adds(module.to("meta"), channels, (side, side))


def seen(module: nn.Module, channels: int, side: int = 15) -> int:
    """Side of the square of inputs that have a say in one output."""
    x = torch.rand(1, channels, side, side, requires_grad=True)
    for conv in convolutions(module):
        nn.init.constant_(conv.weight, 0.01)
    module.eval()(x)[..., side // 2, side // 2].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()
    return int(rows.max() - rows.min()) + 1


@pytest.mark.craft("AR06")
def test_the_naive_block_pays_for_5x5_over_all_channels() -> None:
    block, channels = inception(192, naive(64, 128, 32), "none")
    five = block.branches[2]
    assert cost(five, 192, 28) == 28 * 28 * 32 * 25 * 192 == 120_422_400
    assert channels == 64 + 128 + 32 + 192, "its pooling keeps all channels, so that it can only grow"
    assert block.to_empty(device="cpu")(torch.zeros(1, 192, 28, 28)).shape == (1, 416, 28, 28)


@pytest.mark.craft("AR07")
def test_reductions_make_5x5_ten_times_cheaper() -> None:
    block, channels = inception(192, TABLE_3A, "none")
    assert channels == 256
    assert block(torch.zeros(1, 192, 28, 28)).shape == (1, 256, 28, 28)
    assert len(block.branches) == 4
    assert all(any(conv.kernel_size == (1, 1) for conv in convolutions(branch)) for branch in block.branches)
    one, three, five, pool = ([m.kernel_size for m in convolutions(branch)] for branch in block.branches)
    assert (one, three, five, pool) == ([(1, 1)], [(1, 1), (3, 3)], [(1, 1), (5, 5)], [(1, 1)])
    assert isinstance(block.branches[3][0], nn.MaxPool2d), "1x1 behind the pooling"
    assert cost(block.branches[2], 192, 28) == 12_443_648


@pytest.mark.craft("AR10", "LA09")
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_two_3x3_see_what_5x5_sees_with_18_of_25_weights(norm: str) -> None:
    five = inception(24, v1(8, (8, 8), (16, 16), 8), norm)[0].branches[2]
    twice = inception(24, v2(8, (8, 8), (16, 16), 8), norm)[0].branches[2]
    assert seen(five, 24) == seen(twice, 24) == 5
    assert (weights(twice) - weights(twice[0])) / (weights(five) - weights(five[0])) == 18 / 25 == 0.72


@pytest.mark.craft("AR11", "LA11")
def test_seven_by_seven_is_written_as_rows_and_columns() -> None:
    block, channels = inception(768, v3_c(128))
    assert channels == 768
    kernels = [conv.kernel_size for conv in convolutions(block)]
    assert kernels.count((1, 7)) == kernels.count((7, 1)) == 3
    assert max(h * w for h, w in kernels) == 7
    once, twice = block.branches[1], block.branches[2]
    pair = 128 * 128 * 7 + 128 * 192 * 7
    assert weights(once) == 768 * 128 + pair
    assert pair / (128 * 128 * 49 + 128 * 192 * 49) == 1 / 7
    assert seen(once, 768) == 7
    assert seen(twice, 768) == 13


@pytest.mark.craft("AR11", "AR12")
@pytest.mark.parametrize(
    ("block", "channels", "side", "out", "small"),
    [
        (v2_reduction((128, 160), (64, 96)), 320, 28, 576, 14),  # Ioffe and Szegedy 2015, figure 5, 3c
        (v3_a(32), 192, 35, 256, 35),
        (V3_B, 288, 35, 768, 17),
        (v3_c(192), 768, 17, 768, 17),
        (V3_D, 768, 17, 1280, 8),
        (V3_E, 1280, 8, 2048, 8),
        (V4_A, 384, 35, 384, 35),  # Szegedy et al. 2016, figures 3 to 9
        (V4_REDUCTION_A, 384, 35, 1024, 17),
        (V4_B, 1024, 17, 1024, 17),
        (V4_REDUCTION_B, 1024, 17, 1536, 8),
        (V4_C, 1536, 8, 1536, 8),
    ],
    ids=["3c", "v3_a", "v3_b", "v3_c", "v3_d", "v3_e", "v4_a", "v4_reduction_a", "v4_b", "v4_reduction_b", "v4_c"],
)
def test_shapes_are_the_papers(block: Block, channels: int, side: int, out: int, small: int) -> None:
    with torch.device("meta"):
        module, made = inception(channels, block)
        assert made == out
        assert module(torch.zeros(1, channels, side, side)).shape == (1, out, small, small)


@pytest.mark.craft("AR13")
@pytest.mark.parametrize(("block", "channels"), [(RESIDUAL_A, 320), (RESIDUAL_B, 1088), (RESIDUAL_C, 2080)])
def test_a_residual_block_adds_a_scaled_branch_to_its_input(block: Block, channels: int) -> None:
    torch.manual_seed(0)
    narrow = wider(block, 0.125)
    module = InceptionResidual(channels // 8, narrow, 0.17).eval()
    x = torch.randn(2, channels // 8, 5, 5)
    branch = module.project(module.mixed(x))
    torch.testing.assert_close(module(x), (x + 0.17 * branch).relu())
    bare = InceptionResidual(channels // 8, narrow, 0.5, last=True).eval()
    torch.testing.assert_close(bare(x) - x, 0.5 * bare.project(bare.mixed(x)), rtol=1e-4, atol=1e-5)
    nn.init.zeros_(module.project.weight)
    nn.init.zeros_(module.project.bias)
    assert torch.equal(module(x), x.relu())


def test_public_weights_have_3x3_where_the_paper_has_5x5() -> None:
    kernels = [[c.kernel_size for c in convolutions(chain(8, v1(8, (8, 8), (8, 8), 8, side=s)[2])[0])] for s in (5, 3)]
    assert kernels == [[(1, 1), (5, 5)], [(1, 1), (3, 3)]]


@given(st.floats(0.05, 3))
def test_a_width_multiplies_all_channels_also_of_splits(width: float) -> None:
    def channels(block: Block) -> list[int]:
        return [s.out if isinstance(s, C) else 0 for branch in block for s in branch if not isinstance(s, str)] + [
            n for branch in block for s in branch if hasattr(s, "branches") for n in channels(s.branches)
        ]

    before, after = channels(V3_E), channels(wider(V3_E, width))
    for old, new in zip(before, after, strict=True):
        if old == 0 or width == 1:
            assert new == old
        else:
            assert new % 8 == 0
            assert max(8, 0.9 * old * width) <= new <= old * width + 8


def test_without_norm_there_are_biases_and_with_it_none() -> None:
    for norm, biased in (("none", True), ("batch", False)):
        block = inception(8, TABLE_3A, norm)[0]
        assert {conv.bias is not None for conv in convolutions(block)} == {biased}
        assert any(isinstance(m, nn.BatchNorm2d) for m in block.modules()) is not biased


@pytest.mark.parametrize("side", [1, 3, 13, 14, 15, 28])
def test_a_heads_pooling_takes_maps_of_any_size(side: int) -> None:
    x = torch.rand(1, 2, side, side)
    shrunk = ShrinkTo(5, 3, 4)(x)
    assert shrunk.shape == (1, 2, 4, 4)
    if side == 14:  # as published
        assert torch.equal(shrunk, nn.functional.avg_pool2d(x, 5, 3))


def test_pooling_inside_the_map_leaves_zeros_around_it_out_of_the_mean() -> None:
    ones = torch.ones(1, 1, 4, 4)
    inside, including = (chain(1, (kind,))[0](ones) for kind in ("avg_inside", "avg"))
    assert torch.equal(inside, ones)
    assert including[0, 0, 0, 0] == pytest.approx(4 / 9)
    assert including[0, 0, 1, 1] == 1
