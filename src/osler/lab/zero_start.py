"""Why weights must not start at zero: what moves, and how many different units a layer keeps."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from osler.lab.plain_training import accuracy_of, fit, mlp, sgd
from osler.lab.small_sets import digits
from osler.nn.initialisation import initialise

STEPS = 200


@dataclass(frozen=True, slots=True)
class FromOneStart:
    """A network with one hidden layer on the digits, after some steps of gradient descent."""

    gradients: dict[str, float]  # largest size in each parameter, before the first step
    moved: dict[str, float]  # largest change of each parameter
    rank: int  # of the first weight matrix: how many different units the hidden layer has
    accuracy: float


def from_start(
    name: str, *, activation: Callable[[], nn.Module] | None = nn.ReLU, hidden: int = 32, seed: int = 0
) -> FromOneStart:
    """Starts a network by the named initialisation and trains it for 200 steps of all training digits.

    Without an activation there is no hidden layer: logistic regression.
    """
    data = digits(1000, seed=seed)
    model = mlp(64, 10, seed=seed) if activation is None else mlp(64, hidden, 10, activation=activation, seed=seed)
    initialise(model, name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    functional.cross_entropy(model(data.x), data.y).backward()
    gradients = {key: float(p.grad.abs().max()) for key, p in model.named_parameters() if p.grad is not None}
    fit(model, data.x, data.y, epochs=STEPS, batch=0, optimizer=sgd(0.5), seed=seed)
    moved = {key: float((value - before[key]).abs().max()) for key, value in model.state_dict().items()}
    first = model.get_parameter("0.weight").detach().double()
    rank = int(torch.linalg.matrix_rank(first, rtol=1e-4))
    return FromOneStart(gradients, moved, rank, accuracy_of(model, data.x_test, data.y_test))
