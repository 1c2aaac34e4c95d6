"""Residual blocks and their shortcuts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from osler.nn.residual import BasicBlock, Bottleneck, stage
from osler.nn.shortcut import PadShortcut, pad_shortcut, projection_shortcut


def weights_of_convolutions(module: nn.Module) -> int:
    return sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Conv2d))


@settings(max_examples=12, deadline=None)
@given(
    block=st.sampled_from([BasicBlock, Bottleneck]),
    channels=st.integers(1, 6),
    width=st.integers(6, 9),
    stride=st.integers(1, 3),
    side=st.integers(1, 9),
)
def test_both_branches_agree_in_shape(block: type, channels: int, width: int, stride: int, side: int) -> None:
    for shortcut in (pad_shortcut, projection_shortcut):
        out = block(channels, width, stride, shortcut).eval()(torch.randn(2, channels, side, side))
        small = -(-side // stride)
        assert out.shape == (2, width * block.expansion, small, small)
        assert (out >= 0).all(), "the activation comes after the addition"


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_the_output_is_the_activated_sum_of_both_branches(block: type) -> None:
    module = block(8, 8 // block.expansion).eval()
    x = torch.randn(2, 8, 5, 5)
    branch = []
    module.last_norm.register_forward_hook(lambda _m, _i, output: branch.append(output))
    out = module(x)
    torch.testing.assert_close(out, (branch[0] + x).relu())


@pytest.mark.craft("AR16", "LA33")
def test_a_bottleneck_saves_weights_and_multiply_adds() -> None:
    """256 -> 64 -> 64 -> 256 against two 3x3 convolutions at 256 channels."""
    bottleneck, plain = Bottleneck(256, 64), BasicBlock(256, 256)
    assert weights_of_convolutions(bottleneck) == 69_632
    assert weights_of_convolutions(plain) == 1_179_648
    kernels = [m.kernel_size[0] for m in bottleneck.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [1, 3, 1]
    cost = {}
    for name, block in (("bottleneck", bottleneck), ("plain", plain)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            block.eval()(torch.zeros(1, 256, 14, 14))
        cost[name] = counter.get_total_flops() // 2
    assert cost == {"bottleneck": 69_632 * 14 * 14, "plain": 1_179_648 * 14 * 14}


def test_pad_shortcut_thins_out_and_adds_zeros_at_both_ends() -> None:
    x = torch.randn(1, 2, 5, 5)
    out = PadShortcut(2, 5, stride=2)(x)
    torch.testing.assert_close(out[:, 1:3], x[:, :, ::2, ::2])
    assert not out[:, :1].any()
    assert not out[:, 3:].any()


@pytest.mark.parametrize("shortcut", [pad_shortcut, projection_shortcut])
def test_nothing_stands_in_the_way_where_shapes_agree(shortcut: object) -> None:
    assert isinstance(shortcut(8, 8, 1), nn.Identity)  # type: ignore[operator]
    assert not isinstance(shortcut(8, 8, 2), nn.Identity)  # type: ignore[operator]


def test_only_the_first_block_of_a_stage_has_the_stride() -> None:
    blocks = stage(BasicBlock, 4, 8, depth=3, stride=2)
    assert [b.conv1.stride[0] for b in blocks] == [2, 1, 1]
    assert blocks(torch.randn(1, 4, 8, 8)).shape == (1, 8, 4, 4)
