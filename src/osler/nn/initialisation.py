"""How weights start, where PyTorch's own defaults are not what the papers use."""

import math

import torch
from torch import nn


def he_initialise(model: nn.Module, *, gain: float = math.sqrt(2.0)) -> None:
    """He initialisation (He et al. 2015, "Delving deep into rectifiers", section 2.2), in place.

    Convolutions are normal with spread gain / sqrt(fan out), which keeps the size of gradients from layer to layer;
    linear layers are normal with spread gain / sqrt(fan in), and the last one with gain 1, so that raw outputs start
    near unit size. Biases start at 0, norms at 1 and 0 as PyTorch leaves them.

    Args:
        model: the network, changed in place.
        gain: of the activations; sqrt(2) for ReLU, 5/3 for tanh.
    """
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            height, width = module.kernel_size
            fan_out = module.out_channels // module.groups * height * width
            _normal(module, gain / math.sqrt(fan_out))
        elif isinstance(module, nn.Linear):
            own_gain = 1.0 if module is linears[-1] else gain
            _normal(module, own_gain / math.sqrt(module.in_features))


@torch.no_grad()
def _normal(module: nn.Conv2d | nn.Linear, spread: float) -> None:
    if module.weight.is_meta:  # nothing to fill, and PyTorch would load its compiler (1 s) to find that out
        return
    module.weight.normal_(0.0, spread)
    if module.bias is not None:
        module.bias.zero_()


@torch.no_grad()
def partial_identity_(conv: nn.Conv2d) -> None:
    """The first output channels pass the input channels through (a Dirac kernel); the others stay random. In place.

    Jordan 2024 (arXiv 2404.00498, section 3.3); the idea of Zagoruyko and Komodakis 2017 (arXiv 1706.00388).
    """
    nn.init.dirac_(conv.weight[: conv.in_channels])
