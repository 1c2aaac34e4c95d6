"""Gradients through thirty layers that vanish or explode, a report of them, and a guard before the NaN (rows FB04, FB05).

A layer multiplies the gradient by W^T diag(g'); the norm of the product over L layers goes as the L-th power of what one
does (Hochreiter 1991; Bengio, Simard, Frasconi 1994; Glorot and Bengio 2010, section 4.2).
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from osler.lab.initialisation_table import ACTIVATIONS, Signal, deep_network
from osler.lab.plain_training import accuracy_of, fit, seeded, sgd
from osler.lab.small_sets import digits
from osler.nn.initialisation import initialise

LIMIT = 1e6  # root mean square of activations or gradients at which the guard speaks


def depth_report(found: Signal) -> str:
    """Spread of the activations and size of the gradient, layer by layer, and a verdict."""
    lines = [
        f"{found.init}, {found.activation}",
        f"{'layer':>5}  {'activations':>11}  {'gradient':>10}  {'to the last':>11}",
    ]
    last = found.gradients[-1]
    for number, (spread, gradient) in enumerate(zip(found.spreads, found.gradients, strict=True), start=1):
        share = gradient / last if last else math.nan
        lines.append(f"{number:5}  {spread:11.3g}  {gradient:10.3g}  {share:11.3g}")
    lines.append(f"The gradient {verdict(found)}.")
    return "\n".join(lines)


def verdict(found: Signal) -> str:
    """`vanishes`, `explodes` or `arrives`: whether the first layer's gradient is within a factor of 100 of the last one's."""
    ratio = found.gradient_ratio
    if not math.isfinite(ratio) or ratio > 100 or max(found.spreads) > LIMIT:
        return "explodes"
    return "vanishes" if ratio < 0.01 else "arrives"


@dataclass(frozen=True, slots=True)
class Moved:
    """How far training carried each layer's weights from where they started, as a share of their size there."""

    init: str
    activation: str
    moves: tuple[float, ...]  # first hidden layer to last; the head left out
    accuracy: float  # on the training digits


def moved_by_training(init: str, activation: str, *, depth: int = 12, epochs: int = 5, seed: int = 0) -> Moved:
    """A deep network on the digits: where the gradient vanishes, early layers stay where they started."""
    name = {"Xavier": "xavier_normal", "He": "he_normal"}[init]
    data = digits(600, seed=seed)
    with seeded(seed):
        hidden = deep_network(ACTIVATIONS[activation], depth=depth, width=64)
        model = nn.Sequential(hidden, nn.Linear(64, 10))
        initialise(model, name)
    layers = [m for m in hidden if isinstance(m, nn.Linear)]
    starts = [layer.weight.detach().clone() for layer in layers]
    fit(model, data.x, data.y, epochs=epochs, optimizer=sgd(0.05, momentum=0.9), seed=seed)
    moves = [float((m.weight.detach() - s).norm() / s.norm()) for m, s in zip(layers, starts, strict=True)]
    return Moved(init, activation, tuple(moves), accuracy_of(model, data.x, data.y))


class ExplosionError(ArithmeticError):
    """Activations or gradients grew beyond the limit; they are still numbers."""


@contextmanager
def explosion_guard(model: nn.Sequential, *, limit: float = LIMIT) -> Iterator[None]:
    """Within, a layer whose output or whose gradient at the output exceeds the limit raises before it becomes NaN.

    Raises:
        ExplosionError: it names the layer, the direction and the size.
    """

    def judge(name: str, way: str, values: Tensor) -> None:
        size = float(values.detach().double().square().mean().sqrt())
        if not size <= limit:
            raise ExplosionError(f"{way} of layer {name}: {size:.3g}, more than {limit:.3g}.")

    def forward(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            judge(name, "Activations", output)
            if output.requires_grad:
                output.register_hook(lambda gradient: judge(name, "Gradient", gradient))

        return hook

    handles = [module.register_forward_hook(forward(name)) for name, module in model.named_children()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def exploding_network(*, depth: int = 30, width: int = 256, seed: int = 0) -> nn.Sequential:
    """ReLU layers with standard normal weights and no biases."""
    with seeded(seed):
        model = deep_network(nn.ReLU, depth=depth, width=width)
        initialise(model, "normal", options={"std": 1.0})
    return model
