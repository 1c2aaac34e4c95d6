"""Depthwise, pointwise and both: what they compute and what they cost."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.models.cost import multiply_adds
from osler.nn.convolution import conv
from osler.nn.depthwise_separable import depthwise_separable


def block(inputs: int = 6, outputs: int = 9, kernel: int = 3, **options: object) -> nn.Sequential:
    """In evaluation, with norms that do something."""
    torch.manual_seed(0)
    module = depthwise_separable(inputs, outputs, kernel, **options)
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.running_mean.uniform_(-0.2, 0.2)
        norm.running_var.uniform_(0.5, 2)
    return module.eval()


def without_norms(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Only the two convolutions, for counting."""
    module = depthwise_separable(inputs, outputs, kernel)
    return nn.Sequential(module.depthwise.conv, module.pointwise.conv)


@pytest.mark.craft("LA24")
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1)])
def test_the_depthwise_part_convolves_each_channel_by_itself(kernel: int, stride: int) -> None:
    layer, x = block(kernel=kernel, stride=stride).depthwise.conv, torch.randn(2, 6, 9, 8)
    assert layer.weight.shape == (6, 1, kernel, kernel)
    alone = [F.conv2d(x[:, i : i + 1], layer.weight[i : i + 1], None, stride, kernel // 2) for i in range(6)]
    torch.testing.assert_close(layer(x), torch.cat(alone, dim=1))


@pytest.mark.craft("LA24")
def test_multiply_adds_of_a_depthwise_convolution() -> None:
    """3 * 3 * 64 * 112 * 112."""
    with torch.device("meta"):
        assert multiply_adds(depthwise_separable(64, 128).depthwise.conv, 64, (112, 112)) == 7_225_344


@pytest.mark.craft("LA25")
def test_the_pointwise_part_is_one_matrix_at_every_position() -> None:
    layer, x = block().pointwise.conv, torch.randn(2, 6, 4, 5)
    matrix = layer.weight[:, :, 0, 0]
    assert matrix.shape == (9, 6)
    torch.testing.assert_close(layer(x), torch.einsum("oi,bihw->bohw", matrix, x))


@pytest.mark.craft("LA25")
def test_multiply_adds_of_a_pointwise_convolution() -> None:
    with torch.device("meta"):
        assert multiply_adds(depthwise_separable(64, 128).pointwise.conv, 64, (112, 112)) == 102_760_448


@pytest.mark.craft("LA26")
def test_both_are_the_two_one_after_the_other() -> None:
    module, x = block(), torch.randn(2, 6, 8, 8)
    first, second = module.depthwise, module.pointwise
    middle = F.relu(first.norm(first.conv(x)))
    torch.testing.assert_close(module(x), F.relu(second.norm(second.conv(middle))))
    assert (module(x) >= 0).all()


@pytest.mark.craft("LA26")
def test_multiply_adds_of_both_are_the_examples() -> None:
    with torch.device("meta"):
        assert multiply_adds(depthwise_separable(64, 128), 64, (112, 112)) == 109_985_792


@pytest.mark.craft("LA26")
@settings(max_examples=25, deadline=None)
@given(
    inputs=st.integers(1, 40), outputs=st.integers(1, 40), kernel=st.sampled_from([1, 3, 5, 7]), side=st.integers(1, 9)
)
def test_the_ratio_to_a_full_convolution_is_one_over_n_and_one_over_k_squared(
    inputs: int, outputs: int, kernel: int, side: int
) -> None:
    """Howard et al. 2017, section 3.1, whatever the input channels and the size of the map."""
    with torch.device("meta"):
        separable = multiply_adds(without_norms(inputs, outputs, kernel), inputs, (side, side))
        full = multiply_adds(conv(inputs, outputs, kernel), inputs, (side, side))
    assert separable / full == pytest.approx(1 / outputs + 1 / kernel**2, rel=1e-12)


def test_a_linear_one_has_no_activation_at_the_end() -> None:
    module, x = block(linear=True), torch.randn(4, 6, 8, 8)
    assert (module(x) < 0).any()
    assert (module.depthwise(x) >= 0).all()


def test_norms_and_activations_are_the_callers() -> None:
    module = depthwise_separable(4, 8, norm=lambda c: nn.GroupNorm(2, c), act=nn.SiLU)
    assert isinstance(module.depthwise.norm, nn.GroupNorm)
    assert module.pointwise.norm.num_channels == 8
    assert module.depthwise.act is not module.pointwise.act
    assert isinstance(module.pointwise.act, nn.SiLU)
