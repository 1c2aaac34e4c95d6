"""RepVGG's block: three branches while it learns, one 3x3 convolution when it is deployed (Ding et al. 2021)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv
from osler.nn.folding import folded_weights


class ConvNorm(nn.Sequential):
    """A convolution without bias and its batch norm, called `conv` and `bn`."""

    conv: nn.Conv2d
    bn: nn.BatchNorm2d

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int, groups: int) -> None:
        super().__init__()
        self.add_module("conv", conv(in_channels, out_channels, kernel, stride=stride, groups=groups))
        self.add_module("bn", nn.BatchNorm2d(out_channels))


class RepVGGBlock(nn.Module):
    """relu(norm(3x3(x)) + norm(1x1(x)) + norm(x)); the last branch only where the shape stays.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        stride: input positions per output position.
        groups: of both convolutions.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        same = stride == 1 and in_channels == out_channels
        self.identity = nn.BatchNorm2d(in_channels) if same else None
        self.conv_kxk = ConvNorm(in_channels, out_channels, 3, stride=stride, groups=groups)
        self.conv_1x1 = ConvNorm(in_channels, out_channels, 1, stride=stride, groups=groups)
        self.act = nn.ReLU()

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height2 width2"]:
        """Heights and widths become ceil(n / stride)."""
        y = self.conv_kxk(x) + self.conv_1x1(x)
        return self.act(y if self.identity is None else y + self.identity(x))

    @torch.no_grad()
    def deployed(self) -> "DeployedBlock":
        """The single convolution that gives the same answers in evaluation.

        A norm in evaluation is linear, so it folds into the convolution before it; a 1x1 kernel is a 3x3 one with
        zeros around, the identity a 1x1 one of ones and zeros; and kernels over the same input add up (section 3.3).
        """
        source = self.conv_kxk.conv
        sizes = source.in_channels, source.out_channels
        with torch.device("meta"):  # no weights are drawn, so the caller's random numbers stay as they are
            block = DeployedBlock(*sizes, stride=source.stride[0], groups=source.groups)
        kernel, bias = folded_weights(source.weight, self.conv_kxk.bn)
        point, shift = folded_weights(self.conv_1x1.conv.weight, self.conv_1x1.bn)
        kernel, bias = kernel + F.pad(point, [1, 1, 1, 1]), bias + shift
        if self.identity is not None:
            one = torch.zeros_like(source.weight)
            nn.init.dirac_(one, source.groups)
            same, shift = folded_weights(one, self.identity)
            kernel, bias = kernel + same, bias + shift
        block.load_state_dict({"conv.weight": kernel, "conv.bias": bias}, assign=True)
        return block.train(self.training)


class DeployedBlock(nn.Module):
    """A 3x3 convolution with bias, and ReLU: what a `RepVGGBlock` becomes."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, groups=groups)
        self.act = nn.ReLU()

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out height2 width2"]:
        """Heights and widths become ceil(n / stride)."""
        return self.act(self.conv(x))
