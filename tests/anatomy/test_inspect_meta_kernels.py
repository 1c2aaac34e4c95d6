"""Shapes that are worked out here are those that PyTorch gives: sizes, strides and types."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from osler.anatomy import meta_kernels


class Ours(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        return meta_kernels.run(func, args, kwargs or {})


def described(value: object) -> list[tuple[object, ...]]:
    tensors = value if isinstance(value, (tuple, list)) else [value]
    return [(tuple(t.shape), t.stride(), t.dtype) for t in tensors if isinstance(t, Tensor)]


def assert_same(function: Callable[..., object], *inputs: Tensor) -> None:
    """Run with numbers, and by our shapes alone."""
    plain = described(function(*inputs))
    with Ours():
        assert described(function(*(t.to("meta") for t in inputs))) == plain


X = torch.randn(2, 4, 9, 7)
TOKENS = torch.randn(2, 6, 8)

FUNCTIONS: dict[str, tuple[Callable[..., object], tuple[Tensor, ...]]] = {
    "conv1d": (lambda x: F.conv1d(x, torch.ones(4, 3, 3, device=x.device), groups=2, stride=2), (TOKENS,)),
    "conv3d": (lambda x: F.conv3d(x[None], torch.ones(4, 2, 1, 3, 3, device=x.device), padding=1), (X,)),
    "batch norm": (lambda x: F.batch_norm(x, x.new_zeros(4), x.new_ones(4)), (X,)),
    "batch norm in training": (lambda x: F.batch_norm(x, None, None, training=True), (X,)),
    "layer norm": (lambda x: F.layer_norm(x, (8,)), (TOKENS,)),
    "layer norm of transposed": (lambda x: F.layer_norm(x.transpose(1, 2), (6,)), (TOKENS,)),
    "mean": (lambda x: x.mean((2, 3)), (X,)),
    "mean kept": (lambda x: x.mean(-1, keepdim=True), (X,)),
    "softmax": (lambda x: x.softmax(-1), (TOKENS,)),
    "product": (lambda x: x @ x.transpose(1, 2), (TOKENS,)),
    "linear": (lambda x: F.linear(x, x.new_ones(5, 8), x.new_ones(5)), (TOKENS,)),
    "sum of transposed": (lambda x: x.transpose(1, 2) + 1, (TOKENS,)),
    "sum of a slice": (lambda x: x[:, :, 1:-1] * x[:, :, 1:-1], (X,)),
    "sum of permuted": (lambda x: x.permute(0, 2, 3, 1) + x.permute(0, 2, 3, 1), (X,)),
    "sum of expanded": (lambda x: x[:, :, :1].expand(-1, -1, 9, -1) * 2, (X,)),
    "gate": (lambda x: x * x.mean((2, 3), keepdim=True), (X,)),
    "gate of permuted": (lambda x: x.permute(0, 2, 3, 1) * x.mean((2, 3))[:, None, None], (X,)),
    "channels last": (lambda x: F.relu(x.to(memory_format=torch.channels_last)), (X,)),
    "whole numbers": (lambda x: x.long() + x, (X,)),
    "comparison": (lambda x: x > 0, (X,)),
    "concatenation": (lambda x: torch.cat([x, x[:, :2]], 1), (X,)),
    "concatenation of channels last": (
        lambda x: torch.cat([x.to(memory_format=torch.channels_last)] * 2, 1),
        (X,),
    ),
    "in place": (lambda x: F.relu((x * 1).add_(2), inplace=True), (X,)),
    "adaptive mean": (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), (X,)),
    "adaptive maximum": (lambda x: F.adaptive_max_pool2d(x, 3, return_indices=True), (X,)),
    "dropout": (lambda x: F.dropout(x, 0.5, training=True), (X,)),
    "local response norm": (lambda x: F.local_response_norm(x, 3), (X,)),
    "gelu": (F.gelu, (TOKENS,)),
}


@pytest.mark.parametrize("case", FUNCTIONS)
@pytest.mark.parametrize("gradients", [False, True])
def test_operators_are_as_pytorch_has_them(case: str, gradients: bool) -> None:
    function, inputs = FUNCTIONS[case]
    with torch.set_grad_enabled(gradients):
        assert_same(function, *inputs)


sizes = st.integers(1, 4)


@settings(max_examples=60, deadline=None)
@given(st.tuples(sizes, sizes), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.booleans())
def test_windows_are_as_pytorch_has_them(
    kernel: tuple[int, int], stride: int, padding: int, dilation: int, ceil: bool
) -> None:
    weight = torch.ones(6, 2, *kernel)
    assert_same(lambda x, w: F.conv2d(x, w, None, stride, padding, dilation, groups=2), X, weight)
    half = min(padding, min(kernel) // 2)
    assert_same(lambda x: F.max_pool2d(x, kernel, stride, half, dilation, ceil, return_indices=True), X)
    assert_same(lambda x: F.avg_pool2d(x, kernel, stride, half, ceil), X)


def test_what_does_not_fit_is_refused() -> None:
    with Ours(), pytest.raises(ValueError, match="does not fit"):
        F.conv2d(X.to("meta"), torch.ones(6, 4, 9, 9, device="meta"))
    with Ours(), pytest.raises(RuntimeError, match="channel"):
        F.conv2d(X.to("meta"), torch.ones(6, 3, 3, 3, device="meta"))
