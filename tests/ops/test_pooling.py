"""Pooling by hand, forward and backward, against PyTorch and its autograd."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from osler.ops.convolution import Window
from osler.ops.pooling import average_pool, average_pool_backward, max_pool, max_pool_backward

shapes = st.tuples(st.integers(3, 8), st.integers(3, 8))


def some(size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    kernel = draw(st.integers(1, 3))
    return Window(kernel, draw(st.integers(1, 3)), draw(st.integers(0, kernel // 2)))


@pytest.mark.craft("LA12", "LA18")
@given(size=shapes, window=windows())
def test_max_pooling_forward_index_and_backward_are_pytorchs(size: tuple[int, int], window: Window) -> None:
    x = some(size).requires_grad_()
    expected, where = F.max_pool2d(x, window.kernel, window.stride, window.padding, return_indices=True)
    value, index = max_pool(x.detach(), window)
    assert torch.equal(value, expected)
    assert torch.equal(index, where)
    gradient = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    expected.backward(gradient)
    by_hand = max_pool_backward(gradient, index, size)
    torch.testing.assert_close(by_hand, x.grad)
    torch.testing.assert_close(by_hand.sum(), gradient.sum(), rtol=1e-4, atol=1e-4)


@pytest.mark.craft("LA18")
def test_of_equal_values_the_first_gets_the_gradient() -> None:
    tied = torch.ones(1, 1, 4, 4)
    _, index = max_pool(tied, Window(2, 2))
    assert index.flatten().tolist() == [0, 2, 8, 10]
    routed = max_pool_backward(torch.ones(1, 1, 2, 2), index, (4, 4))
    assert routed.count_nonzero() == 4
    tied.requires_grad_()
    F.max_pool2d(tied, 2).sum().backward()
    assert torch.equal(routed, tied.grad)


@pytest.mark.craft("LA13", "LA17")
@pytest.mark.parametrize("count_padding", [True, False])
@given(size=shapes, window=windows())
def test_average_pooling_forward_and_backward_are_pytorchs(
    size: tuple[int, int], window: Window, count_padding: bool
) -> None:
    x = some(size).requires_grad_()
    expected = F.avg_pool2d(x, window.kernel, window.stride, window.padding, count_include_pad=count_padding)
    torch.testing.assert_close(
        average_pool(x.detach(), window, count_padding=count_padding), expected, rtol=1e-6, atol=1e-6
    )
    gradient = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    expected.backward(gradient)
    torch.testing.assert_close(average_pool_backward(gradient, size, window, count_padding=count_padding), x.grad)


@pytest.mark.parametrize("count_padding", [True, False])
@given(size=shapes, kernel=st.integers(1, 3), stride=st.integers(1, 3), data=st.data())
def test_windows_that_hang_over_the_edge_are_pytorchs(
    size: tuple[int, int], kernel: int, stride: int, count_padding: bool, data: st.DataObject
) -> None:
    padding = data.draw(st.integers(0, kernel // 2))
    window, x = Window(kernel, stride, padding, ceil=True), some(size).requires_grad_()
    value, where = F.max_pool2d(x, kernel, stride, padding, ceil_mode=True, return_indices=True)
    found, index = max_pool(x.detach(), window)
    assert torch.equal(found, value)
    assert torch.equal(index, where)
    mean = F.avg_pool2d(x, kernel, stride, padding, ceil_mode=True, count_include_pad=count_padding)
    torch.testing.assert_close(average_pool(x.detach(), window, count_padding=count_padding), mean)
    gradient = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1))
    mean.backward(gradient)
    torch.testing.assert_close(average_pool_backward(gradient, size, window, count_padding=count_padding), x.grad)


@pytest.mark.craft("LA13")
def test_the_mean_of_one_to_four() -> None:
    assert average_pool(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), Window(2, 2)).item() == 2.5


@pytest.mark.craft("LA17", "LA18")
def test_sixteen_gradients_become_sixty_four_and_their_sum_stays() -> None:
    gradient = torch.arange(16.0).reshape(1, 1, 4, 4)
    spread = average_pool_backward(gradient, (8, 8), Window(2, 2))
    assert spread.numel() == 64
    assert spread.sum() == gradient.sum()
    assert torch.equal(spread[0, 0, :2, 2:4], torch.full((2, 2), 0.25))
    x = some((8, 8))[:1, :1]
    _, index = max_pool(x, Window(2, 2))
    routed = max_pool_backward(gradient, index, (8, 8))
    assert routed.numel() == 64
    assert routed.sum() == gradient.sum()
    assert routed.count_nonzero() == 15, "one of the sixteen gradients is zero itself"
