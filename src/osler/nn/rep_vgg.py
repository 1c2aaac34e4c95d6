"""RepVGG's block: three branches while it learns, one 3x3 convolution when it is deployed (Ding et al. 2021)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from osler.nn.convolution import conv


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
        block = DeployedBlock(source.in_channels, source.out_channels, stride=source.stride[0], groups=source.groups)
        kernel, bias = _folded(source.weight, self.conv_kxk.bn)
        point, shift = _folded(self.conv_1x1.conv.weight, self.conv_1x1.bn)
        kernel, bias = kernel + F.pad(point, [1, 1, 1, 1]), bias + shift
        if self.identity is not None:
            one = torch.zeros_like(source.weight)
            nn.init.dirac_(one, source.groups)
            same, shift = _folded(one, self.identity)
            kernel, bias = kernel + same, bias + shift
        block = block.to(device=kernel.device, dtype=kernel.dtype)
        block.conv.weight.copy_(kernel)
        block.conv.bias.copy_(bias)  # type: ignore[union-attr]
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


def _folded(
    weight: Float[Tensor, "out group height width"], norm: nn.BatchNorm2d
) -> tuple[Float[Tensor, "out group height width"], Float[Tensor, " out"]]:
    """Kernel and bias of a convolution together with the norm behind it, in evaluation."""
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    kernel, bias = fuse_conv_bn_weights(
        weight,
        None,
        norm.running_mean,  # type: ignore[arg-type]
        norm.running_var,  # type: ignore[arg-type]
        norm.eps,
        norm.weight,
        norm.bias,
    )
    return kernel.detach(), bias.detach()
