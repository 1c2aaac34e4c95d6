"""Convolution whose weights are shared by region only: from one kernel everywhere to one kernel at every position.

Where pictures are aligned, as faces are, eyes and mouths keep their places, and each place may have kernels of its own
(Taigman et al. 2014, "DeepFace", section 3; the locally connected layers there follow Gregor and LeCun 2010).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from osler.structures.errors import RecipeError


class RegionConv2d(nn.Module):
    """A convolution with a kernel of its own for each region of its output map.

    With one region this is `nn.Conv2d`; with as many as there are positions it is a locally connected layer. It has
    (regions) times the parameters of the convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the kernels.
        regions: for each output position the number of its region, from 0 without gaps.
        stride: input positions per output position.
        padding: zeros on each side.
        bias: whether each region has a bias for each channel.

    Raises:
        RecipeError: the regions are not numbered from 0 without gaps.
    """

    regions: Int[Tensor, "height width"]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        regions: Int[Tensor, "height width"],
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        count = int(regions.max()) + 1
        if sorted(regions.unique().tolist()) != list(range(count)):
            raise RecipeError(f"Regions are numbered from 0 without gaps; given: {regions.unique().tolist()}.")
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.register_buffer("regions", regions.long())
        self.weight = nn.Parameter(torch.empty(count, out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(count, out_channels)) if bias else None
        bound = 1 / math.sqrt(in_channels * kernel**2)  # as nn.Conv2d starts
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """The output map must have the size of `regions`.

        Raises:
            RecipeError: the input's size gives an output of another size.
        """
        height, width = ((n + 2 * self.padding - self.kernel) // self.stride + 1 for n in x.shape[2:])
        if (height, width) != tuple(self.regions.shape):
            rows, columns = self.regions.shape
            raise RecipeError(
                f"The layer was made for an output of {rows}x{columns}; "
                f"pictures of {x.shape[2]}x{x.shape[3]} give {height}x{width}."
            )
        patches = F.unfold(
            x, self.kernel, padding=self.padding, stride=self.stride
        )  # batch, channels * k * k, positions
        region = self.regions.flatten()
        kernels = self.weight.flatten(2)  # regions, out, channels * k * k
        out = x.new_empty(len(x), kernels.shape[1], len(region))
        for r in range(len(kernels)):
            out[:, :, region == r] = kernels[r] @ patches[:, :, region == r]
        if self.bias is not None:
            out = out + self.bias[region].T
        return out.unflatten(2, (height, width))

    def extra_repr(self) -> str:
        """Channels, kernel and number of regions."""
        count, out_channels, in_channels = self.weight.shape[:3]
        return f"{in_channels}, {out_channels}, kernel={self.kernel}, stride={self.stride}, padding={self.padding}, regions={count}"


class LocallyConnected2d(RegionConv2d):
    """A convolution that shares no weights: a kernel for every output position (Gregor and LeCun 2010; DeepFace's L4-L6).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the kernels.
        size: height and width of the input, which is fixed.
        stride: input positions per output position.
        padding: zeros on each side.
        bias: whether each position has a bias for each channel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        size: tuple[int, int],
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        height, width = ((n + 2 * padding - kernel) // stride + 1 for n in size)
        each = torch.arange(height * width).reshape(height, width)
        super().__init__(in_channels, out_channels, kernel, each, stride=stride, padding=padding, bias=bias)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """Every position with its own kernel, in one product."""
        height, width = self.regions.shape
        patches = F.unfold(x, self.kernel, padding=self.padding, stride=self.stride)
        if patches.shape[2] != height * width:
            return super().forward(x)  # which says what does not fit
        out = torch.einsum("pok,bkp->bop", self.weight.flatten(2), patches)
        if self.bias is not None:
            out = out + self.bias.T
        return out.unflatten(2, (height, width))


def grid_regions(height: int, width: int, rows: int, columns: int) -> Int[Tensor, "height width"]:
    """Regions as a grid of `rows` by `columns` rectangles over a map, of sizes as equal as can be."""
    down = torch.arange(height) * rows // height
    across = torch.arange(width) * columns // width
    return down[:, None] * columns + across[None, :]
