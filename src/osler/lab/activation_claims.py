"""What the textbooks say of activation functions, measured: means, dead units, saturation, speed, learning."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from torch import nn

from osler.lab.plain_training import accuracy_of, fit, mlp, seeded, sgd
from osler.lab.small_sets import digits
from osler.nn.activations import activations

SAMPLES = 400_000


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """One activation for inputs from N(0, 1)."""

    name: str
    formula: str
    range: tuple[float, float]
    mean: float
    zeros: float  # share of outputs that are exactly 0
    largest_slope: float
    slope_far_left: float  # at -8
    slope_far_right: float  # at 8
    slowness: float  # time of a forward pass as a multiple of ReLU's


def activation_table(names: Sequence[str] | None = None, *, seed: int = 0, timed: bool = True) -> list[ActivationRow]:
    """Every activation of the registry, or those of `names`."""
    with seeded(seed):
        x = torch.randn(SAMPLES)
    grid, far = torch.linspace(-8, 8, 16_001), torch.tensor([-8.0, 8.0])
    reference = _milliseconds(nn.ReLU(), x) if timed else 1.0
    rows = []
    for name in names or list(activations):
        activation = activations[name]
        y = activation.value(x)
        left, right = activation.derivative(far).tolist()
        slowness = _milliseconds(activation.make(), x) / reference if timed else float("nan")
        rows.append(
            ActivationRow(
                name,
                activation.formula,
                activation.range,
                float(y.mean()),
                float((y == 0).float().mean()),
                float(activation.derivative(grid).max()),
                left,
                right,
                slowness,
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class Learning:
    """A network of several layers with one activation, mean over seeds."""

    name: str
    accuracy: float  # on held-out digits
    dead: float  # share of hidden units whose slope is 0 for every training picture


def learning_by_activation(
    names: Sequence[str] = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu"),
    *,
    depth: int = 4,
    epochs: int = 15,
    seeds: Sequence[int] = (0, 1),
) -> list[Learning]:
    """The same network, data, optimiser and epochs, with one activation after another."""
    rows = []
    for name in names:
        scores, dead = [], []
        for seed in seeds:
            data = digits(800, seed=seed)
            model = mlp(64, *[32] * depth, 10, seed=seed, activation=activations[name].make)
            fit(model, data.x, data.y, epochs=epochs, seed=seed)
            scores.append(accuracy_of(model, data.x_test, data.y_test))
            dead.append(dead_share(model, data.x))
        rows.append(Learning(name, mean(scores), mean(dead)))
    return rows


def dead_by_learning_rate(
    rates: Sequence[float] = (0.1, 3.0, 10.0), *, name: str = "relu", width: int = 64, steps: int = 30, seed: int = 0
) -> list[int]:
    """Dead units of one hidden layer after a few steps of gradient descent at each rate. A cure keeps them at 0."""
    data = digits(400, seed=seed)
    counts = []
    for rate in rates:
        model = mlp(64, width, 10, seed=seed, activation=activations[name].make)
        fit(model, data.x, data.y, epochs=steps, batch=0, optimizer=sgd(rate), seed=seed)
        counts.append(round(dead_share(model, data.x) * width))
    return counts


@torch.no_grad()
def dead_share(model: nn.Sequential, x: torch.Tensor) -> float:
    """Share of the hidden units whose activation is exactly 0 for every row of `x`."""
    dead = total = 0
    for module in model:
        x = module(x)
        if not isinstance(module, nn.Linear | nn.BatchNorm1d | nn.Dropout):
            dead += int((x == 0).all(dim=0).sum())
            total += x.shape[1]
    return dead / total


def saturated_share(spread: float, *, normed: bool, seed: int = 0) -> float:
    """Share of sigmoid outputs whose slope is below a tenth of its largest, for inputs N(0, spread^2), batch norm or not."""
    with seeded(seed):
        x = torch.randn(4096, 16) * spread
    x = nn.BatchNorm1d(16)(x) if normed else x
    return float((activations["sigmoid"].derivative(x) < 0.025).float().mean())


def _milliseconds(module: nn.Module, x: torch.Tensor, runs: int = 15) -> float:
    """Of the processor's time, the least of several runs: what other programs do beside it hardly counts."""
    took = []
    with torch.no_grad():
        for _ in range(runs):
            began = time.process_time()
            module(x)
            took.append(time.process_time() - began)
    return 1000 * min(took)
