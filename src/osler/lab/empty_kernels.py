"""Depthwise kernels that have become nothing: a count in any network, and how weight decay makes them.

A depthwise kernel sees one channel, and nothing else keeps it alive: where its gradient stays small, weight decay takes
it to zero, and its channel carries a constant from then on. That many kernels of trained MobileNets are so is told as a
reason for MobileNetV2's linear bottlenecks (Sandler et al. 2018, section 3.2: ReLU in few channels loses what it is
given). A norm behind the convolution belongs to the kernel: it is folded in before the kernel is judged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.plain_training import accuracy_of, fit, seeded, sgd
from osler.lab.small_sets import Split, digits
from osler.nn.convolution import conv_norm_act
from osler.nn.depthwise_separable import depthwise_separable
from osler.nn.folding import foldable_pairs, folded_weights
from osler.nn.initialisation import he_initialise


@dataclass(frozen=True, slots=True)
class LayerKernels:
    """A depthwise convolution's kernels, one for each channel."""

    layer: str
    kernels: int
    empty: int


def empty_kernels(model: nn.Module, *, below: float = 0.01) -> list[LayerKernels]:
    """How many kernels of each depthwise convolution are near zero: below this share of the layer's largest, in norm.

    All of a layer are empty when the largest is zero. The model is looked at as it answers in evaluation.
    """
    return [LayerKernels(name, len(norms), int((~_alive(norms, below)).sum())) for name, _, norms in _depthwise(model)]


@torch.no_grad()
def clear_empty_kernels(model: nn.Module, *, below: float = 0.01) -> int:
    """Set the empty kernels to exact zeros, in place, and return how many they are."""
    cleared = 0
    for _, conv, norms in list(_depthwise(model)):
        empty = ~_alive(norms, below)
        conv.weight[empty] = 0
        cleared += int(empty.sum())
    return cleared


@dataclass(frozen=True, slots=True)
class Emptied:
    """A small MobileNet after training with one weight decay."""

    weight_decay: float
    kernels: int
    empty: int
    accuracy: float  # on held-out digits
    accuracy_cleared: float  # with the empty kernels set to zero


def emptied_by_decay(decays: Sequence[float] = (0.0, 0.02), *, seed: int = 0) -> list[Emptied]:
    """Trains the same small MobileNet on digits with each weight decay, and counts."""
    data = digits(400, seed=seed)
    return [_emptied(decay, data, seed) for decay in decays]


def small_mobilenet(*, seed: int = 0) -> nn.Sequential:
    """MobileNet's plan for 8x8 digits: a convolution, four depthwise-separable ones, pooling, one linear layer."""
    widths, strides = (16, 32, 64, 64, 64), (1, 2, 1, 1)
    with seeded(seed):
        blocks = [depthwise_separable(a, b, stride=s) for (a, b), s in zip(pairwise(widths), strides, strict=True)]
        ends = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10)
        model = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), conv_norm_act(1, widths[0]), *blocks, *ends)
        he_initialise(model)
    return model


def _emptied(decay: float, data: Split, seed: int) -> Emptied:
    model = small_mobilenet(seed=seed)
    for rate, epochs in ((0.1, 30), (0.01, 5)):
        fit(model, data.x, data.y, epochs=epochs, batch=50, optimizer=sgd(rate, 0.9, decay), seed=seed)
    counts = empty_kernels(model)
    before = accuracy_of(model, data.x_test, data.y_test)
    empty = clear_empty_kernels(model)
    after = accuracy_of(model, data.x_test, data.y_test)
    return Emptied(decay, sum(c.kernels for c in counts), empty, before, after)


def _depthwise(model: nn.Module) -> Iterator[tuple[str, nn.Conv2d, Float[Tensor, " kernels"]]]:
    """Name, layer and the norms of its kernels as they act."""
    norm_behind = dict(foldable_pairs(model))
    for name, module in model.named_modules():
        if not isinstance(module, nn.Conv2d) or not 1 < module.groups == module.in_channels:
            continue
        kernel = module.weight.detach()
        if name in norm_behind:
            norm = model.get_submodule(norm_behind[name])
            assert isinstance(norm, nn.BatchNorm2d)
            kernel, _ = folded_weights(kernel, norm)
        yield name, module, kernel.flatten(1).norm(dim=1)


def _alive(norms: Float[Tensor, " kernels"], below: float) -> Tensor:
    return norms > below * norms.max()
