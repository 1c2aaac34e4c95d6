"""Weight decay in networks: how far to turn it, what it holds back, why not on biases, and why AdamW is not Adam with
L2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import MakeOptimizer, accuracy_of, fit, gradient_norm, loss_of, mlp, seeded, weight_norm
from osler.lab.small_sets import Split, digits
from osler.training.parameter_groups import parameter_groups

Method = Literal["none", "in the loss", "in torch's optimiser", "decoupled"]


@dataclass(frozen=True, slots=True)
class Decayed:
    """A network after training under one weight decay."""

    decay: float
    norm: float  # of all weight matrices
    train_loss: float
    validation_loss: float
    validation_accuracy: float


def decay_sweep(
    decays: Sequence[float] = (0.0, 1e-4, 1e-3, 1e-2, 1e-1), *, samples: int = 200, epochs: int = 60, seed: int = 0
) -> list[Decayed]:
    """A small network on few digits under each decay: same start and order, SGD with decay on weights only."""
    data = digits(samples, seed=seed)
    rows = []
    for decay in decays:
        model = mlp(64, 64, 10, seed=seed)
        groups = parameter_groups(model, lr=0.1, weight_decay=decay, split=True)
        fit(model, data.x, data.y, epochs=epochs, batch=50, optimizer=over_groups(groups), seed=seed)
        rows.append(
            Decayed(
                decay,
                weight_norm(model),
                loss_of(model, data.x, data.y),
                loss_of(model, data.x_test, data.y_test),
                accuracy_of(model, data.x_test, data.y_test),
            )
        )
    return rows


def over_groups(groups: list[dict[str, Any]], *, momentum: float = 0.9) -> MakeOptimizer:
    """SGD over groups that carry their own learning rate and decay, whatever parameters it is handed."""
    return lambda _: torch.optim.SGD(groups, momentum=momentum)


@dataclass(frozen=True, slots=True)
class Explosion:
    """Norms of a network that starts too large, after training with and without a penalty."""

    decay: float
    weight_norm: float
    gradient_norm: float  # of the plain loss over the training set
    start_weight_norm: float
    start_gradient_norm: float


def explosion_held_back(
    *, decay: float = 0.05, scale: float = 2.0, layers: int = 5, steps: int = 60, seed: int = 0
) -> tuple[Explosion, Explosion]:
    """A ReLU network whose weights are `scale` times He's, trained in small steps without a penalty, then with L2."""
    data = digits(300, seed=seed)
    found = []
    for strength in (0.0, decay):
        model = mlp(64, *[64] * layers, 10, seed=seed)
        _start_large(model, scale, seed)
        before = weight_norm(model), gradient_norm(model, data.x, data.y, functional.cross_entropy)
        groups = parameter_groups(model, lr=1.0, weight_decay=strength, split=True)
        _clipped_descent(model, data, groups, steps)
        after = weight_norm(model), gradient_norm(model, data.x, data.y, functional.cross_entropy)
        found.append(Explosion(strength, *after, *before))
    return found[0], found[1]


@torch.no_grad()
def _start_large(model: nn.Module, scale: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator).mul_(scale)


def _clipped_descent(model: nn.Module, data: Split, groups: list[dict[str, Any]], steps: int) -> None:
    """Descent on loss plus penalty with a loss gradient clipped to 0.1, so that neither run diverges and only the
    penalty differs.
    """
    optimizer = torch.optim.SGD(groups)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(model(data.x), data.y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()


@dataclass(frozen=True, slots=True)
class BiasPenalty:
    """Mean squared training error of one linear fit whose targets lie far from zero."""

    bias_free: float
    bias_penalised: float
    bias: tuple[float, float]  # learnt: free, penalised
    offset: float  # the truth


def penalising_the_bias(*, offset: float = 10.0, decay: float = 0.5, steps: int = 300, seed: int = 0) -> BiasPenalty:
    """y = offset + 0.5 x + small noise, fitted with strong decay on the weight only, and on the weight and the bias."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(100, 1, generator=generator)
    y = offset + 0.5 * x + 0.1 * torch.randn(100, 1, generator=generator)
    errors, biases = [], []
    for everything in (False, True):
        with seeded(seed):
            model = nn.Linear(1, 1)
        groups = parameter_groups(model, lr=0.1, weight_decay=decay, split=not everything)
        fit(
            model,
            x,
            y,
            epochs=steps,
            batch=0,
            loss=functional.mse_loss,
            optimizer=over_groups(groups, momentum=0.0),
        )
        errors.append(loss_of(model, x, y, functional.mse_loss))
        biases.append(float(model.bias.detach()))
    return BiasPenalty(errors[0], errors[1], (biases[0], biases[1]), offset)


def after_decay(
    optimizer: Literal["sgd", "adam"],
    method: Method,
    *,
    decay: float = 0.05,
    rate: float = 0.05,
    steps: int = 25,
    seed: int = 0,
) -> Tensor:
    """All parameters of a small network after some steps, with weight decay brought in one of four ways.

    "in the loss" adds decay ||w||^2 / 2, "in torch's optimiser" is its `weight_decay`, "decoupled" multiplies the
    weights by 1 - rate * decay beside the step (for Adam that is AdamW: Loshchilov and Hutter 2019, section 2).
    """
    data = digits(100, seed=seed)
    model = mlp(64, 16, 10, seed=seed).double()
    kind = torch.optim.SGD if optimizer == "sgd" else torch.optim.Adam
    inside = decay if method == "in torch's optimiser" else 0.0
    moves = kind(model.parameters(), lr=rate, weight_decay=inside)
    for _ in range(steps):
        moves.zero_grad()
        loss = functional.cross_entropy(model(data.x.double()), data.y)
        if method == "in the loss":
            loss = loss + decay / 2 * torch.stack([p.square().sum() for p in model.parameters()]).sum()
        loss.backward()
        if method == "decoupled":
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.mul_(1 - rate * decay)
        moves.step()
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def adamw_after(*, decay: float = 0.05, rate: float = 0.05, steps: int = 25, seed: int = 0) -> Tensor:
    """The same training with torch's AdamW."""
    data = digits(100, seed=seed)
    model = mlp(64, 16, 10, seed=seed).double()
    moves = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    for _ in range(steps):
        moves.zero_grad()
        functional.cross_entropy(model(data.x.double()), data.y).backward()
        moves.step()
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])
