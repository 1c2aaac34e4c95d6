"""What each initialisation does to activations and gradients: seven of them, four activations, thirty layers of 256 units."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.plain_training import seeded
from osler.nn.initialisation import initialise

DEPTH, WIDTH, SAMPLES = 30, 256, 256

# What each row is called, the initialiser's name, and its options. LSUV is given the inputs.
INITS: dict[str, tuple[str, dict[str, Any]]] = {
    "zeros": ("zeros", {}),
    "normal, std 1": ("normal", {"std": 1.0}),
    "normal, std 0.01": ("normal", {"std": 0.01}),
    "Xavier": ("xavier_normal", {}),
    "He": ("he_normal", {}),
    "orthogonal": ("orthogonal", {}),
    "LSUV": ("lsuv", {}),
}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "ReLU": nn.ReLU,
}


@dataclass(frozen=True, slots=True)
class Signal:
    """Activations and gradients of a deep network before its first update. Layers are counted from 1."""

    init: str
    activation: str
    spreads: tuple[float, ...]  # standard deviation of each layer's activations; inf where they overflow
    saturated: float  # share of the last layer's activations beyond 0.95 in size
    gradients: tuple[float, ...]  # root mean square of the gradient in each layer's weights
    dead: float = field(default=0.0)  # share of the last layer's units that put out one value for all inputs

    @property
    def last_spread(self) -> float:
        """Of the last hidden layer."""
        return self.spreads[-1]

    @property
    def gradient_ratio(self) -> float:
        """The gradient in the first layer's weights over that in the last one's; nan where one is 0 or overflows."""
        first, last = self.gradients[0], self.gradients[-1]
        return first / last if last and math.isfinite(last) else math.nan


def deep_network(activation: Callable[[], nn.Module], *, depth: int = DEPTH, width: int = WIDTH) -> nn.Sequential:
    """`depth` square layers, each with the activation behind it, and no head."""
    return nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(width, width), activation())))


def signal(
    init: str,
    activation: str,
    *,
    start: Callable[[nn.Module, Tensor], Any] | None = None,
    depth: int = DEPTH,
    width: int = WIDTH,
    seed: int = 0,
) -> Signal:
    """Standard normal inputs through a fresh network, and a random gradient back from its outputs.

    The network's last layer is hidden like the others: what follows it is one more linear layer that the measurement
    does not look at, so that no layer measured is the head. `start` initialises in another way than the table's.
    """
    name, options = INITS.get(init, ("torch", {}))
    begin = start or partial(_by_name, name=name, options=options)
    with seeded(seed):
        x = torch.randn(SAMPLES, width)
        hidden = deep_network(ACTIVATIONS[activation], depth=depth, width=width)
        begin(nn.Sequential(hidden, nn.Linear(width, width)), x)
        cotangent = torch.randn(SAMPLES, width)
    spreads, outputs = _forward(hidden, x)
    outputs.backward(cotangent)
    layers = [part for part in hidden if isinstance(part, nn.Linear)]
    last = outputs.detach()
    return Signal(
        init,
        activation,
        tuple(spreads),
        float((last.abs() > 0.95).float().mean()),
        tuple(_size(layer.weight.grad) for layer in layers),
        float((last.amax(0) == last.amin(0)).float().mean()),
    )


def signal_table(
    inits: Sequence[str] = tuple(INITS), activations: Sequence[str] = tuple(ACTIVATIONS), *, seed: int = 0
) -> list[Signal]:
    """Every initialisation with every activation."""
    return [signal(init, activation, seed=seed) for init in inits for activation in activations]


def _by_name(model: nn.Module, x: Tensor, *, name: str, options: Mapping[str, Any]) -> None:
    initialise(model, name, options=options, images=x)


def _forward(hidden: nn.Sequential, x: Float[Tensor, "samples width"]) -> tuple[list[float], Tensor]:
    """The spread behind each activation, and the last outputs."""
    spreads = []
    for i, part in enumerate(hidden):
        x = part(x)
        if i % 2:
            spreads.append(float(x.detach().std()) if x.isfinite().all() else math.inf)
    return spreads, x


def _size(gradient: Tensor | None) -> float:
    """Root mean square, in double precision so that small ones are no zeros."""
    return math.nan if gradient is None else float(gradient.double().square().mean().sqrt())
