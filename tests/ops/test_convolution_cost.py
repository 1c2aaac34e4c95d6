"""The two formulas of a convolution's cost, against the tensors of PyTorch's layers and a counter that runs them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from osler.models.cost import multiply_adds
from osler.ops.convolution_cost import convolution_cost
from osler.structures.errors import RecipeError


@pytest.mark.craft("LA07")
@settings(max_examples=40, deadline=None)
@given(
    group_in=st.integers(1, 6),
    group_out=st.integers(1, 6),
    groups=st.integers(1, 4),
    kernel=st.sampled_from([1, 2, 3, 5]),
    size=st.tuples(st.integers(6, 12), st.integers(6, 12)),
    stride=st.integers(1, 2),
    bias=st.booleans(),
)
def test_the_formulas_are_sums_over_the_layers_tensors(
    group_in: int, group_out: int, groups: int, kernel: int, size: tuple[int, int], stride: int, bias: bool
) -> None:
    inputs, outputs = group_in * groups, group_out * groups
    layer = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=bias)
    with torch.no_grad():
        positions = layer(torch.zeros(1, inputs, *size)).shape[2:]
    cost = convolution_cost(inputs, outputs, kernel, positions, groups=groups, bias=bias)
    assert cost.weights == layer.weight.numel()
    assert cost.biases == (layer.bias.numel() if bias else 0)
    assert cost.parameters == sum(p.numel() for p in layer.parameters())
    assert cost.multiply_adds == multiply_adds(layer, inputs, size)


@pytest.mark.craft("LA07")
def test_vggs_example() -> None:
    """112x112 positions, 64 channels to 128 by kernels of 3x3; the bias adds parameters and no product."""
    cost = convolution_cost(64, 128, 3, (112, 112))
    assert cost.multiply_adds == 924_844_032
    assert (cost.weights, cost.biases, cost.parameters) == (73_728, 128, 73_856)
    assert convolution_cost(64, 128, 3, (112, 112), bias=False).multiply_adds == 924_844_032


def test_groups_that_do_not_divide_are_a_sentence() -> None:
    with pytest.raises(RecipeError, match="3 groups cannot share 64 input"):
        convolution_cost(64, 128, 3, (8, 8), groups=3)
