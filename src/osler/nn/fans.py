"""How many inputs meet in an output of a layer, how many outputs an input reaches, and the layer's kernel, group by group."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from osler.nn.locally_connected import RegionConv2d
from osler.nn.table_conv import TableConv2d

Layer = nn.Linear | _ConvNd | TableConv2d | RegionConv2d
Kernel = Float[Tensor, "out in *kernel"]


def is_layer(module: nn.Module) -> TypeGuard[Layer]:
    """Whether the module is a linear layer or a convolution whose weight is an ordinary parameter that is trained.

    A weight that is computed from others (weight norm) or held fixed (whitening filters) is no such parameter.
    """
    if not isinstance(module, (nn.Linear, _ConvNd, TableConv2d, RegionConv2d)):
        return False
    return isinstance(module.weight, nn.Parameter) and module.weight.requires_grad


@dataclass(frozen=True, slots=True)
class Fans:
    """Products that are summed in one output, and products in which one input takes part (Glorot and Bengio 2010)."""

    fan_in: float
    fan_out: float


def fans_of(layer: Layer) -> Fans:
    """The fans of a layer, of each group for itself.

    A transposed convolution with stride s spreads its kernel over the output, so that only 1 / s^2 of its taps meet in
    an output. The fan out of a convolution is counted as in the papers, whatever the stride.
    """
    if isinstance(layer, nn.Linear):
        return Fans(layer.in_features, layer.out_features)
    if isinstance(layer, RegionConv2d):
        outputs, inputs, *kernel = layer.weight.shape[1:]
        return Fans(math.prod(kernel) * inputs, math.prod(kernel) * outputs)
    taps = math.prod(layer.kernel_size)
    if isinstance(layer, TableConv2d):
        pairs = len(layer.weight)
        return Fans(taps * pairs / layer.out_channels, taps * pairs / layer.in_channels)
    spread = math.prod(layer.stride) if isinstance(layer, _ConvTransposeNd) else 1
    return Fans(taps * layer.in_channels / layer.groups / spread, taps * layer.out_channels / layer.groups)


@torch.no_grad()
def fill_kernels(layer: Layer, fill: Callable[[Kernel], None]) -> None:
    """Hands `fill` an empty dense kernel for each group, and puts what it fills in into the layer's weight.

    A grouped convolution is as many small ones side by side, and the weight of a transposed one is stored the other way
    round: so each kernel comes as [outputs, inputs, *kernel] of one group, in ordinary memory order, as PyTorch's
    `nn.init` functions understand it. Of a table's kernel only the connected pairs are kept; every region or position
    with a kernel of its own gets one.
    """
    if isinstance(layer, TableConv2d):
        dense = torch.empty_like(layer.dense_weight())
        fill(dense)
        layer.weight.copy_(dense[layer.out_index, layer.in_index])
        return
    if isinstance(layer, RegionConv2d):
        parts = layer.weight.unbind()
    else:
        parts = layer.weight.chunk(1 if isinstance(layer, nn.Linear) else layer.groups)
    for part in parts:
        place = part.transpose(0, 1) if isinstance(layer, _ConvTransposeNd) else part
        kernel = torch.empty(place.shape, dtype=place.dtype, device=place.device)
        fill(kernel)
        place.copy_(kernel)
