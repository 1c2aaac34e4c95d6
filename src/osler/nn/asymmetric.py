"""Asymmetric convolutions: a kernel of n x 1 and one of 1 x n in the place of n x n.

Szegedy et al. 2015 ("Rethinking the Inception architecture", section 3.2) build networks of them; Jaderberg, Vedaldi and
Zisserman 2014 ("Speeding up convolutional neural networks with low rank expansions") split trained kernels into them. With
as many channels between the two as before and behind them they have 2 / n of the weights.
"""

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.structures.errors import RecipeError


def asymmetric(
    in_channels: int, out_channels: int, kernel: int, *, middle: int | None = None, bias: bool = True
) -> nn.Sequential:
    """`column`, a kernel x 1 convolution, and `row`, a 1 x kernel one; nothing stands between them, the size is kept.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: odd side of the kernel whose place they take.
        middle: channels between the two; by default as many as behind them.
        bias: of the second.
    """
    between = out_channels if middle is None else middle
    column = nn.Conv2d(in_channels, between, (kernel, 1), padding=(kernel // 2, 0), bias=False)
    row = nn.Conv2d(between, out_channels, (1, kernel), padding=(0, kernel // 2), bias=bias)
    return nn.Sequential(OrderedDict(column=column, row=row))


@torch.no_grad()
def split_kernel(conv: nn.Conv2d, middle: int) -> nn.Sequential:
    """The two asymmetric convolutions that come nearest to a convolution, in the least squares of its weights.

    They are equal to it where its weights, as a matrix of (inputs x rows) by (outputs x columns), have no higher rank than
    `middle`: a single kernel of rank 1 by `middle=1`.

    Args:
        conv: square, of odd side, padded to keep the size, at stride 1, in one group.
        middle: channels between the two.

    Raises:
        RecipeError: the convolution is of another kind, or `middle` is more than the highest rank there can be.
    """
    kernel = conv.kernel_size[0]
    plain = (conv.stride, conv.dilation, conv.groups) == ((1, 1), (1, 1), 1)
    if not plain or conv.kernel_size != (kernel, kernel) or conv.padding != (kernel // 2,) * 2 or kernel % 2 == 0:
        raise RecipeError(f"Only a square convolution that keeps the size of its maps can be split; given: {conv}.")
    highest = kernel * min(conv.in_channels, conv.out_channels)
    if not 1 <= middle <= highest:
        raise RecipeError(f"Between the two halves there can be 1 to {highest} channels; given: middle={middle}.")
    matrix = conv.weight.permute(1, 2, 0, 3).reshape(conv.in_channels * kernel, conv.out_channels * kernel)
    left, scale, right = torch.linalg.svd(matrix, full_matrices=False)
    pair = asymmetric(conv.in_channels, conv.out_channels, kernel, middle=middle, bias=conv.bias is not None).to(matrix)
    columns = left[:, :middle] * scale[:middle].sqrt()
    rows = scale[:middle].sqrt()[:, None] * right[:middle]
    _fill(pair.get_submodule("column"), columns.t().reshape(middle, conv.in_channels, kernel, 1))
    _fill(pair.get_submodule("row"), rows.reshape(middle, conv.out_channels, 1, kernel).transpose(0, 1), conv.bias)
    return pair.train(conv.training)


def _fill(conv: nn.Module, weight: Float[Tensor, "out in height width"], bias: Tensor | None = None) -> None:
    assert isinstance(conv, nn.Conv2d)
    conv.weight.copy_(weight)
    if conv.bias is not None and bias is not None:
        conv.bias.copy_(bias)
