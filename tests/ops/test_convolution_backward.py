"""The gradients of a convolution by hand, against autograd."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from osler.ops.convolution import Window
from osler.ops.convolution_backward import convolution_backward, convolve_by_place

windows = st.builds(
    Window, st.integers(1, 3), stride=st.integers(1, 3), padding=st.integers(0, 2), dilation=st.integers(1, 2)
)


@pytest.mark.craft("LA01", "FB13")
@given(down=windows, across=windows, groups=st.sampled_from([1, 2]), height=st.integers(1, 7), width=st.integers(1, 7))
def test_output_and_gradients_are_autograds(down: Window, across: Window, groups: int, height: int, width: int) -> None:
    assume(height + 2 * down.padding >= down.span)
    assume(width + 2 * across.padding >= across.span)
    generator = torch.Generator().manual_seed(height * 8 + width)
    x = torch.randn(2, 4, height, width, generator=generator, dtype=torch.float64).requires_grad_()
    weight = torch.randn(6, 4 // groups, down.kernel, across.kernel, generator=generator, dtype=torch.float64)
    bias = torch.zeros(6, dtype=torch.float64).requires_grad_()
    both = [(getattr(down, name), getattr(across, name)) for name in ("stride", "padding", "dilation")]
    expected = F.conv2d(x, weight.requires_grad_(), bias, *both, groups)
    found = convolve_by_place(x.detach(), weight.detach(), down, across, groups=groups)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-9, atol=1e-9)
    gradient = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    expected.backward(gradient)
    by_hand = convolution_backward(gradient, x.detach(), weight.detach(), down, across, groups=groups)
    for mine, theirs in zip(by_hand, (x.grad, weight.grad, bias.grad), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)
