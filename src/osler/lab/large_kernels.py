"""Large kernels: what they see, what they cost, and what is left of a network that pays for them out of a fixed budget.

A stack of 3x3 convolutions sees as far with fewer weights and more activations between (Simonyan and Zisserman 2015,
section 2.3), so dense large kernels went out of use. They came back depthwise, where a kernel's cost grows with the
channels and not with their square (Ding et al. 2022, "Scaling up your kernels to 31x31", section 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.layer_claims import scattered
from osler.lab.plain_training import accuracy_of, fit, seeded
from osler.lab.small_sets import digits
from osler.models.cost import multiply_adds
from osler.nn.convolution import conv, conv_norm_act

SIDE = 16  # a kernel of 31 sees such a picture whole from each of its positions
LAYERS = 2
FEATURES = 32  # of every network before its linear layer, so that none lacks outputs to tell ten classes by
BUDGET = 1_500_000  # multiply-adds for a picture


@dataclass(frozen=True, slots=True)
class Stack:
    """3x3 convolutions that see as far as one larger kernel."""

    layers: int
    cost: float  # weights, and multiply-adds, as a share of the larger kernel's


def same_field_stack(kernel: int) -> Stack:
    """The 3x3 convolutions in the place of one of odd side `kernel`, all of the same channels."""
    layers = (kernel - 1) // 2
    return Stack(layers, 9 * layers / kernel**2)


@dataclass(frozen=True, slots=True)
class KernelRow:
    """A network of one kernel size, as wide as the budget allows."""

    kernel: int
    depthwise: bool
    width: int  # channels
    multiply_adds: int
    parameters: int
    receptive_field: int  # side in pixels
    accuracy: float  # on held-out digits, mean over seeds


def receptive_field(kernel: int, layers: int = LAYERS) -> int:
    """Side in pixels of what one position of the last of `layers` convolutions at stride 1 sees."""
    return 1 + layers * (kernel - 1)


def network(kernel: int, width: int, *, depthwise: bool = False, layers: int = LAYERS) -> nn.Sequential:
    """Convolutions with norm and ReLU, a 1x1 one to 32 features, their maximum over all positions, one linear layer.

    Depthwise, each convolution is one of a kernel for each channel and a 1x1 one that mixes them, behind a first 1x1 one.
    """
    body: list[nn.Module] = []
    if depthwise:
        body.append(conv(1, width, 1))
        for _ in range(layers):
            body += [conv(width, width, kernel, groups=width), conv_norm_act(width, width, 1)]
    else:
        body = [conv_norm_act(1 if i == 0 else width, width, kernel) for i in range(layers)]
    features = conv_norm_act(width, FEATURES, 1)
    return nn.Sequential(*body, features, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(FEATURES, 10))


def widest(kernel: int, *, depthwise: bool = False, budget: int = BUDGET) -> int:
    """The most channels for which the network costs no more than `budget` multiply-adds a picture.

    Raises:
        ValueError: one channel is already too dear.
    """
    width = 0
    with torch.device("meta"):
        while multiply_adds(network(kernel, width + 1, depthwise=depthwise), 1, (SIDE, SIDE)) <= budget:
            width += 1
    if width == 0:
        raise ValueError(f"A budget of {budget} multiply-adds does not pay for one channel of {kernel}x{kernel}.")
    return width


def equal_budget(
    kernels: Sequence[int] = (3, 5, 7, 11, 31),
    depthwise: Sequence[int] = (7, 11, 31),
    *,
    budget: int = BUDGET,
    samples: int = 400,
    epochs: int = 10,
    seeds: Sequence[int] = (0,),
) -> list[KernelRow]:
    """Each kernel size at the same cost: digits at random places of a picture, dense kernels and then depthwise ones."""
    kinds = [(kernel, False) for kernel in kernels] + [(kernel, True) for kernel in depthwise]
    return [_row(kernel, alone, budget, samples, epochs, seeds) for kernel, alone in kinds]


def _row(kernel: int, depthwise: bool, budget: int, samples: int, epochs: int, seeds: Sequence[int]) -> KernelRow:
    width, scores = widest(kernel, depthwise=depthwise, budget=budget), []
    for seed in seeds:
        data = digits(samples, seed=seed)
        with seeded(seed):
            model = network(kernel, width, depthwise=depthwise)
        fit(model, _anywhere(data.x, seed), data.y, epochs=epochs, batch=32, seed=seed)
        scores.append(accuracy_of(model, _anywhere(data.x_test, seed + 100), data.y_test))
    cost = multiply_adds(model, 1, (SIDE, SIDE))
    parameters = sum(p.numel() for p in model.parameters())
    return KernelRow(kernel, depthwise, width, cost, parameters, receptive_field(kernel), mean(scores))


def _anywhere(x: Float[Tensor, "batch 64"], seed: int) -> Float[Tensor, "batch 1 side side"]:
    """Ink above 0 on an empty ground of 0: padding adds nothing that a kernel larger than the picture could lean on."""
    return (scattered(x, side=SIDE, seed=seed) + 1) / 2
