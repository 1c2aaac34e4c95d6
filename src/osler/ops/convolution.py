"""Convolution worked two ways: position by position, and as one matrix product over unfolded patches (im2col).

For reading and for checking; `torch.nn.functional.conv2d` computes the same faster. What networks call convolution is
cross-correlation: the kernel is not turned round (Goodfellow, Bengio, Courville 2016, section 9.1).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from osler.structures.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Window:
    """How a kernel walks over a map: the same in both directions."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    ceil: bool = False  # whether a last window that hangs over the edge counts, as `ceil_mode` of poolings

    @property
    def span(self) -> int:
        """Input positions from the first to the last that a window sees: dilation * (kernel - 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def exact(self, size: int) -> float:
        """(size + 2 padding - span) / stride + 1, before rounding: the textbooks' formula."""
        return (size + 2 * self.padding - self.span) / self.stride + 1

    def output(self, size: int) -> int:
        """Windows over a map of `size` positions.

        Rounded down, or up with `ceil`; but no window begins in the padding behind the map, as PyTorch has it.

        Raises:
            RecipeError: not one window fits.
        """
        room = size + 2 * self.padding - self.span
        count = room // self.stride + 1
        if self.ceil and room % self.stride and count * self.stride < size + self.padding:
            count += 1
        if count < 1:
            raise RecipeError(
                f"A kernel of {self.kernel} (dilation {self.dilation}, padding {self.padding}) does not fit into {size} positions."
            )
        return count


def convolve_by_position(
    x: Float[Tensor, "batch in_channels height width"],
    weight: Float[Tensor, "out_channels in_group kernel kernel"],
    window: Window,
    *,
    groups: int = 1,
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """The definition: at each position, the products of the kernel and what lies under it, added up."""
    batch, _, height, width = x.shape
    outputs, per_group = weight.shape[0], weight.shape[1]
    rows, columns = window.output(height), window.output(width)
    padded = torch.nn.functional.pad(x, [window.padding] * 4)
    out = x.new_zeros(batch, outputs, rows, columns)
    for o in range(outputs):
        first = o // (outputs // groups) * per_group  # of the input channels of this output's group
        for i in range(rows):
            for j in range(columns):
                top, left = i * window.stride, j * window.stride
                under = padded[
                    :,
                    first : first + per_group,
                    top : top + window.span : window.dilation,
                    left : left + window.span : window.dilation,
                ]
                out[:, o, i, j] = (under * weight[o]).sum(dim=(1, 2, 3))
    return out


def unfold_patches(
    x: Float[Tensor, "batch channels height width"], window: Window
) -> Float[Tensor, "batch positions values"]:
    """What lies under the kernel at each position, as rows of channels * kernel * kernel values (im2col).

    A view of strides turned into a copy: nothing is computed (Chellapilla, Puri, Simard 2006, section 3).
    """
    padded = torch.nn.functional.pad(x, [window.padding] * 4)
    batch, channels = padded.shape[:2]
    rows, columns = window.output(x.shape[2]), window.output(x.shape[3])
    sizes = (batch, rows, columns, channels, window.kernel, window.kernel)
    b, c, h, w = padded.stride()
    strides = (b, h * window.stride, w * window.stride, c, h * window.dilation, w * window.dilation)
    return padded.as_strided(sizes, strides).reshape(batch, rows * columns, -1)


def convolve_by_matrix(
    x: Float[Tensor, "batch in_channels height width"],
    weight: Float[Tensor, "out_channels in_group kernel kernel"],
    window: Window,
    *,
    groups: int = 1,
) -> Float[Tensor, "batch out_channels out_height out_width"]:
    """The same as a matrix product for each group: patches (positions x values) times kernels (values x channels)."""
    rows, columns = window.output(x.shape[2]), window.output(x.shape[3])
    parts = [
        unfold_patches(inputs, window) @ kernels.flatten(1).T
        for inputs, kernels in zip(x.chunk(groups, dim=1), weight.chunk(groups), strict=True)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2).unflatten(2, (rows, columns))
