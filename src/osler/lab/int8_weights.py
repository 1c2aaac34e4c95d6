"""Weights stored in eight bits: a network of a quarter of the size, which computes as before.

Symmetric whole numbers from -127 to 127 with one step for each output channel (Jacob et al. 2018, "Quantization and
training of neural networks for efficient integer-arithmetic-only inference", sections 2 and 3; Nagel et al. 2021, "A white
paper on neural network quantization", section 2), after the norms are folded. Only what is stored shrinks: each forward
pass makes floating-point weights of the whole numbers again and computes with these, which takes a little time and gains
none. To gain time a processor must multiply the whole numbers themselves; PyTorch's quantised tensors, with which it
would, are deprecated.
"""

from copy import deepcopy

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn
from torch.nn.utils import parametrize

from osler.nn.folding import fold_norms

LARGEST = 127  # -128 is left out, so that the numbers are as many below zero as above

Weight = Float[Tensor, "outputs *rest"]
Whole = Int8[Tensor, "outputs *rest"]
Steps = Float[Tensor, "outputs *ones"]


def quantised_by_channel(weight: Weight) -> tuple[Whole, Steps]:
    """The nearest whole numbers, and the step between two of each output channel: the largest weight is 127 steps.

    A channel of zeros has a step of 1.
    """
    largest = weight.abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True)
    steps = torch.where(largest > 0, largest / LARGEST, torch.ones_like(largest))
    return (weight / steps).round().clamp(-LARGEST, LARGEST).to(torch.int8), steps


class EightBits(nn.Module):
    """A weight's storage: `right_inverse` makes the whole numbers, `forward` the weight of them."""

    def forward(self, whole: Whole, steps: Steps) -> Weight:
        """Whole numbers times steps."""
        return whole * steps

    def right_inverse(self, weight: Weight) -> tuple[Whole, Steps]:
        """What is stored."""
        return quantised_by_channel(weight)


def with_int8_weights(model: nn.Module) -> nn.Module:
    """A copy, in evaluation mode, whose convolutions and linear layers store their weights in eight bits.

    Norms are folded into the convolutions first, so that there is nothing else to store than biases and steps. It
    cannot be trained. The original stays as it is.
    """
    copy = deepcopy(model).eval()
    fold_norms(copy)
    for module in list(copy.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.requires_grad_(False)
            parametrize.register_parametrization(module, "weight", EightBits())
    return copy


def stored_bytes(model: nn.Module) -> int:
    """Of all that is stored of a network: parameters and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
