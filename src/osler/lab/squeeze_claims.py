"""Squeeze and excitation on and off: what the gates cost and bring in a small network."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from time import perf_counter

import torch
from torch import Tensor, nn

from osler.lab.plain_training import accuracy_of, adam, fit, seeded
from osler.lab.small_sets import digits
from osler.nn.convolution import conv_norm_act
from osler.nn.initialisation import he_initialise
from osler.nn.residual import BasicBlock, stage
from osler.nn.squeeze_excitation import SqueezeExcitation

CHANNELS = (16, 32)


@dataclass(frozen=True, slots=True)
class WithGates:
    """A residual network, with gates or without."""

    accuracy: float  # on held-out digits, mean over seeds
    parameters: int
    milliseconds: float  # for a batch of 400 digits, median


def residual_network(*, reduction: int | None, seed: int = 0) -> nn.Sequential:
    """Two stages of two basic blocks for 8x8 digits; in each block a gate with this reduction, or none."""

    def attention(channels: int) -> SqueezeExcitation:
        return SqueezeExcitation(channels, channels // (reduction or 1))

    gate = attention if reduction else None
    with seeded(seed):
        network = nn.Sequential(
            conv_norm_act(1, CHANNELS[0]),
            stage(BasicBlock, CHANNELS[0], CHANNELS[0], depth=2, stride=1, attention=gate),
            stage(BasicBlock, CHANNELS[0], CHANNELS[1], depth=2, stride=2, attention=gate),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(CHANNELS[1], 10),
        )
        he_initialise(network)
    return network


def gates_on_off(
    *, reduction: int = 8, pictures: int = 300, epochs: int = 12, seeds: Sequence[int] = (0, 1)
) -> dict[str, WithGates]:
    """`off` and `on`: the same network, trained alike on the same few digits.

    So small a network on so small pictures gains nothing from its gates (Hu et al. gain on ImageNet and CIFAR); what they
    cost can be seen here: few parameters, and more time than their multiply-adds suggest.
    """
    return {
        name: _measured(r, pictures=pictures, epochs=epochs, seeds=seeds)
        for name, r in (("off", None), ("on", reduction))
    }


def _measured(reduction: int | None, *, pictures: int, epochs: int, seeds: Sequence[int]) -> WithGates:
    scores, times = [], []
    for seed in seeds:
        data = digits(pictures, seed=seed)
        images, held = data.x.view(-1, 1, 8, 8), data.x_test.view(-1, 1, 8, 8)
        network = residual_network(reduction=reduction, seed=seed)
        fit(network, images, data.y, epochs=epochs, batch=32, optimizer=adam(3e-3), seed=seed)
        scores.append(accuracy_of(network, held, data.y_test))
        times.append(_milliseconds(network, held))
    return WithGates(fmean(scores), sum(p.numel() for p in network.parameters()), median(times))


@torch.no_grad()
def _milliseconds(network: nn.Module, images: Tensor, repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        start = perf_counter()
        network(images)
        times.append(1000 * (perf_counter() - start))
    return median(times)
