"""A convolution whose output maps see only some of the input maps, by a table (LeCun et al. 1998, table I)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class TableConv2d(nn.Module):
    """2-D convolution with a connection table: one kernel for each connected pair of maps, one bias for each output
    map.

    Args:
        in_channels: number of input maps.
        table: for each output map the input maps that it sees, counted from 0.
        kernel: side of the square kernels; no padding, stride 1.
    """

    out_index: Tensor
    in_index: Tensor

    def __init__(self, in_channels: int, table: Sequence[Sequence[int]], kernel: int) -> None:
        super().__init__()
        pairs = [(row, column) for row, columns in enumerate(table) for column in columns]
        self.in_channels, self.out_channels = in_channels, len(table)
        self.kernel_size = (kernel, kernel)
        self.weight = nn.Parameter(torch.empty(len(pairs), kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(len(table)))
        self.register_buffer("out_index", torch.tensor([p[0] for p in pairs]), persistent=False)
        self.register_buffer("in_index", torch.tensor([p[1] for p in pairs]), persistent=False)
        nn.init.normal_(self.weight, 0.0, 1 / math.sqrt(kernel * kernel * len(pairs) / len(table)))

    def dense_weight(self) -> Float[Tensor, "out in kernel kernel"]:
        """The same convolution's full weight, with zeros where the table has no connection."""
        empty = self.weight.new_zeros(self.out_channels, self.in_channels, *self.kernel_size)
        return empty.index_put((self.out_index, self.in_index), self.weight)

    def forward(self, x: Float[Tensor, "batch in height width"]) -> Float[Tensor, "batch out height2 width2"]:
        """Heights and widths become n - kernel + 1."""
        return F.conv2d(x, self.dense_weight(), self.bias)

    def extra_repr(self) -> str:
        """What `print` shows beside the name."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, connections={len(self.weight)}"
        )
