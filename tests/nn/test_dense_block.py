"""Dense layers, blocks and transitions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from osler.nn.dense_block import DenseBlock, DenseLayer, Transition


def statistics_of_its_own(module: nn.Module) -> nn.Module:
    """Norms as after a training, so that nothing cancels."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return module.eval()


@pytest.mark.craft("AR17")
@settings(max_examples=15, deadline=None)
@given(
    channels=st.integers(1, 5),
    depth=st.integers(1, 4),
    growth=st.integers(1, 4),
    bottleneck=st.booleans(),
    side=st.integers(1, 5),
)
def test_each_layer_adds_its_growth_and_the_input_stays(
    channels: int, depth: int, growth: int, bottleneck: bool, side: int
) -> None:
    block = statistics_of_its_own(DenseBlock(channels, depth, growth, bottleneck=bottleneck))
    x = torch.randn(2, channels, side, side)
    out = block(x)
    assert out.shape == (2, channels + depth * growth, side, side)
    assert torch.equal(out[:, :channels], x)
    for i, layer in enumerate(block.children()):
        seen = channels + i * growth
        torch.testing.assert_close(out[:, seen : seen + growth], layer(out[:, :seen]))


@pytest.mark.craft("AR17")
def test_every_layer_is_reached_directly_by_every_earlier_one() -> None:
    """Between a layer and a later one stands that later layer alone: the gradient does not pass the ones between."""
    block = statistics_of_its_own(DenseBlock(3, 4, 2)).requires_grad_(False)
    block.denselayer2.register_forward_hook(lambda _m, _i, output: torch.zeros_like(output))
    block.denselayer3.register_forward_hook(lambda _m, _i, output: torch.zeros_like(output))
    x = torch.randn(1, 3, 6, 6, requires_grad=True)
    block(x)[:, -2:].sum().backward()
    assert (x.grad.abs().amax((0, 2, 3)) > 0).all()


def test_a_layer_is_norm_relu_1x1_norm_relu_3x3() -> None:
    layer = statistics_of_its_own(DenseLayer(6, 3))
    x = torch.randn(2, 6, 5, 5)
    y = F.conv2d(layer.norm1(x).relu(), layer.conv1.weight)
    assert y.shape[1] == 4 * 3, "the bottleneck has four times the growth"
    y = F.conv2d(layer.norm2(y).relu(), layer.conv2.weight, padding=1)
    torch.testing.assert_close(layer(x), y)


def test_a_layer_without_bottleneck_is_norm_relu_3x3() -> None:
    layer = statistics_of_its_own(DenseLayer(6, 3, bottleneck=False))
    x = torch.randn(2, 6, 5, 5)
    torch.testing.assert_close(layer(x), F.conv2d(layer.norm1(x).relu(), layer.conv1.weight, padding=1))
    assert [m.kernel_size for m in layer.modules() if isinstance(m, nn.Conv2d)] == [(3, 3)]


@pytest.mark.craft("AR18")
def test_a_transition_halves_size_by_means_and_channels_by_a_1x1_convolution() -> None:
    transition = statistics_of_its_own(Transition(256, 128))
    x = torch.randn(1, 256, 56, 56)
    out = transition(x)
    assert out.shape == (1, 128, 28, 28)
    assert transition.conv.kernel_size == (1, 1)
    full = F.conv2d(transition.norm(x).relu(), transition.conv.weight)
    means = full.unflatten(3, (28, 2)).unflatten(2, (28, 2)).mean((3, 5))
    torch.testing.assert_close(out, means, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("part", [DenseLayer(8, 4, dropout=0.5), Transition(8, 4, dropout=0.5)])
def test_dropout_stands_behind_each_convolution_and_only_in_training(part: nn.Sequential) -> None:
    kinds = [type(m) for m in part]
    assert kinds.count(nn.Dropout) == kinds.count(nn.Conv2d) >= 1
    assert all(kinds[i + 1] is nn.Dropout for i, kind in enumerate(kinds) if kind is nn.Conv2d)
    x = torch.randn(2, 8, 6, 6)
    assert not torch.equal(part.train()(x), part(x))
    assert torch.equal(part.eval()(x), part(x))
