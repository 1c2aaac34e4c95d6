"""Inverted residuals: wide inside, linear at the narrow end, and when the input is added."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.nn.inverted_residual import InvertedResidual
from osler.nn.residual import Bottleneck
from osler.nn.squeeze_excitation import SqueezeExcitation

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU)


@pytest.mark.craft("LW03")
@settings(max_examples=30, deadline=None)
@given(
    inputs=st.integers(1, 8),
    outputs=st.integers(1, 8),
    times=st.integers(1, 6),
    stride=st.sampled_from([1, 2]),
    kernel=st.sampled_from([3, 5]),
)
def test_the_input_is_added_only_at_stride_1_and_equal_channels(
    inputs: int, outputs: int, times: int, stride: int, kernel: int
) -> None:
    module = InvertedResidual(inputs, times * inputs, outputs, stride=stride, kernel=kernel).eval()
    x = torch.randn(2, inputs, 7, 6)
    with torch.no_grad():
        added = module(x), module.layers(x)
        nn.init.zeros_(module.layers.project.conv.weight)  # what is left then is the shortcut, or nothing
        left = module(x)
    assert added[0].shape == (2, outputs, -(-7 // stride), -(-6 // stride))
    if stride == 1 and inputs == outputs:
        torch.testing.assert_close(added[0], x + added[1])
        assert torch.equal(left, x)
    else:
        assert torch.equal(added[0], added[1])
        assert not left.any()


@pytest.mark.craft("LW03")
def test_it_widens_convolves_each_channel_and_narrows_without_an_activation() -> None:
    torch.manual_seed(0)
    module, x = InvertedResidual(4, 24, 8).eval(), torch.randn(3, 4, 6, 6)
    expand, depthwise, project = (
        module.layers.get_submodule(n).conv.weight for n in ("expand", "depthwise", "project")
    )
    assert (expand.shape, depthwise.shape, project.shape) == ((24, 4, 1, 1), (24, 1, 3, 3), (8, 24, 1, 1))
    scale = 1 / (1 + 1e-5) ** 0.5  # of a norm that has seen nothing
    wide = F.relu6(F.conv2d(x, expand) * scale)
    wide = F.relu6(F.conv2d(wide, depthwise, padding=1, groups=24) * scale)
    torch.testing.assert_close(module(x), F.conv2d(wide, project) * scale)
    assert (module(x) < 0).any()
    assert not [n for n, m in module.layers.project.named_modules() if isinstance(m, ACTIVATIONS)]


@pytest.mark.craft("LW03")
def test_it_is_the_opposite_of_a_resnets_bottleneck() -> None:
    """Of the channels: narrow, wide, narrow; there wide, narrow, wide."""
    inverted, bottleneck = InvertedResidual(16, 96, 16), Bottleneck(64, 16)
    channels = [m.out_channels for m in inverted.modules() if isinstance(m, nn.Conv2d)]
    assert channels == [96, 96, 16]
    assert [bottleneck.conv1.out_channels, bottleneck.conv2.out_channels, bottleneck.conv3.out_channels] == [16, 16, 64]


def test_without_expansion_the_first_convolution_is_left_out() -> None:
    assert list(dict(InvertedResidual(8, 8, 4).layers.named_children())) == ["depthwise", "project"]


def test_a_gate_stands_between_the_depthwise_convolution_and_the_narrowing() -> None:
    module = InvertedResidual(4, 12, 4, attention=lambda c: SqueezeExcitation(c, 3), act=nn.Hardswish)
    assert list(dict(module.layers.named_children())) == ["expand", "depthwise", "attention", "project"]
    assert module.layers.attention.fc1.in_channels == 12
    assert sum(isinstance(m, nn.Hardswish) for m in module.modules()) == 2
    assert isinstance(module.layers.attention.gate, nn.Sigmoid)
