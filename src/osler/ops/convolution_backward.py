"""Convolution worked by the places of its kernel, forward and backward, for windows that differ by direction.

Each place of the kernel sees the input shifted and thinned by the stride; the output is the sum of what all places
see, mixed by that place's weights. Backwards the same views are walked again: the gradient in a place's weights is what
came from above times what the place saw, and what came from above times the weights goes back to where it was seen.
For reading and for checking; autograd has the same faster (Goodfellow, Bengio, Courville 2016, section 9.5).
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from osler.ops.convolution import Window

Maps = Float[Tensor, "batch channels height width"]
Kernels = Float[Tensor, "out_channels in_group kernel_height kernel_width"]


def convolve_by_place(x: Maps, weight: Kernels, down: Window, across: Window, *, groups: int = 1) -> Maps:
    """What `torch.nn.functional.conv2d` computes without a bias; `down` walks over rows, `across` over columns."""
    padded = _padded(x, down, across)
    grouped = weight.unflatten(0, (groups, -1))  # group, output, input, row, column
    out = x.new_zeros(len(x), *grouped.shape[:2], down.output(x.shape[2]), across.output(x.shape[3]))
    for u, v, rows, columns in _places(x, down, across):
        seen = padded[:, :, rows, columns].unflatten(1, (groups, -1))
        out += torch.einsum("ngihw,goi->ngohw", seen, grouped[..., u, v])
    return out.flatten(1, 2)


def convolution_backward(
    gradient: Maps, x: Maps, weight: Kernels, down: Window, across: Window, *, groups: int = 1
) -> tuple[Maps, Kernels, Float[Tensor, " out_channels"]]:
    """Gradients with respect to input, weight and bias, from the one with respect to the output."""
    padded = _padded(x, down, across)
    grouped, errors = weight.unflatten(0, (groups, -1)), gradient.unflatten(1, (groups, -1))
    d_padded, d_weight = torch.zeros_like(padded), torch.zeros_like(grouped)
    for u, v, rows, columns in _places(x, down, across):
        seen = padded[:, :, rows, columns].unflatten(1, (groups, -1))
        d_weight[..., u, v] = torch.einsum("ngohw,ngihw->goi", errors, seen)
        d_padded[:, :, rows, columns] += torch.einsum("ngohw,goi->ngihw", errors, grouped[..., u, v]).flatten(1, 2)
    height, width = x.shape[2:]
    d_x = d_padded[:, :, down.padding : down.padding + height, across.padding : across.padding + width]
    return d_x, d_weight.flatten(0, 1), gradient.sum((0, 2, 3))


def _padded(x: Maps, down: Window, across: Window) -> Maps:
    return torch.nn.functional.pad(x, [across.padding, across.padding, down.padding, down.padding])


def _places(x: Maps, down: Window, across: Window) -> Iterator[tuple[int, int, slice, slice]]:
    """Each place of the kernel, and the rows and columns of the padded input that it sees."""
    for u in range(down.kernel):
        for v in range(across.kernel):
            yield u, v, _seen(u, down, x.shape[2]), _seen(v, across, x.shape[3])


def _seen(place: int, window: Window, size: int) -> slice:
    first = place * window.dilation
    return slice(first, first + window.stride * (window.output(size) - 1) + 1, window.stride)
