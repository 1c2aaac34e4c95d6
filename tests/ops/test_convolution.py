"""Convolution worked by position and by matrix, against PyTorch's; and the sizes of what comes out."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from osler.ops.convolution import Window, convolve_by_matrix, convolve_by_position
from osler.structures.errors import RecipeError

windows = st.builds(
    Window, st.integers(1, 4), stride=st.integers(1, 3), padding=st.integers(0, 2), dilation=st.integers(1, 2)
)


@pytest.mark.craft("LA01")
@pytest.mark.parametrize("convolve", [convolve_by_position, convolve_by_matrix])
@given(window=windows, groups=st.sampled_from([1, 2]), height=st.integers(1, 7), width=st.integers(1, 7))
def test_equals_pytorch(convolve, window: Window, groups: int, height: int, width: int) -> None:
    assume(min(height, width) + 2 * window.padding >= window.span)
    generator = torch.Generator().manual_seed(height * 8 + width)
    x = torch.randn(2, 4, height, width, generator=generator)
    weight = torch.randn(6, 4 // groups, window.kernel, window.kernel, generator=generator)
    expected = F.conv2d(x, weight, None, window.stride, window.padding, window.dilation, groups)
    torch.testing.assert_close(convolve(x, weight, window, groups=groups), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.craft("LA01")
def test_networks_correlate_and_do_not_turn_the_kernel_round() -> None:
    """A single bright pixel shows it: correlation answers with the kernel turned round, convolution with the kernel."""
    pixel = torch.zeros(1, 1, 5, 5)
    pixel[..., 2, 2] = 1
    kernel = torch.arange(9.0).reshape(1, 1, 3, 3)
    answer = convolve_by_matrix(pixel, kernel, Window(3))
    assert torch.equal(answer[0, 0], kernel[0, 0].flip(0, 1))
    turned = convolve_by_matrix(pixel, kernel.flip(2, 3), Window(3))
    assert torch.equal(turned[0, 0], kernel[0, 0])


@pytest.mark.craft("LA02")
@given(window=windows, size=st.integers(1, 40))
def test_the_size_of_the_output_is_pytorchs(window: Window, size: int) -> None:
    x, weight = torch.zeros(1, 1, size, size), torch.zeros(1, 1, window.kernel, window.kernel)
    if size + 2 * window.padding < window.span:
        with pytest.raises(RecipeError, match="does not fit"):
            window.output(size)
        return
    assert window.output(size) == F.conv2d(x, weight, None, window.stride, window.padding, window.dilation).shape[-1]


@pytest.mark.craft("LA02")
@given(kernel=st.integers(1, 4), stride=st.integers(1, 4), size=st.integers(4, 40), data=st.data())
def test_the_size_under_ceil_is_pytorchs(kernel: int, stride: int, size: int, data: st.DataObject) -> None:
    padding = data.draw(st.integers(0, kernel // 2))
    pooled = F.max_pool2d(torch.zeros(1, 1, size, size), kernel, stride, padding, ceil_mode=True)
    assert Window(kernel, stride, padding, ceil=True).output(size) == pooled.shape[-1]


@pytest.mark.craft("LA02")
def test_the_formula_says_when_it_does_not_come_out_even() -> None:
    window = Window(7, stride=2, padding=3)
    assert window.exact(224) == 112.5
    assert window.output(224) == 112
    assert Window(3, stride=2, padding=0, ceil=True).output(112) == 56
