"""The plain training loop that the experiments share: nothing in it but what a claim is about."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from osler.lab.small_sets import Split

Loss = Callable[[Tensor, Tensor], Tensor]
M = TypeVar("M", bound=nn.Module)
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's random numbers follow from `seed` inside, and go on outside as if nothing had happened."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def adam(rate: float = 3e-3) -> MakeOptimizer:
    """Adam with this learning rate."""
    return lambda parameters: torch.optim.Adam(parameters, lr=rate)


def sgd(rate: float = 0.1, momentum: float = 0.0, weight_decay: float = 0.0) -> MakeOptimizer:
    """Gradient descent with these settings."""
    return lambda parameters: torch.optim.SGD(parameters, lr=rate, momentum=momentum, weight_decay=weight_decay)


def mlp(
    *sizes: int,
    seed: int = 0,
    dropout: Callable[[], nn.Module] | None = None,
    batch_norm: bool = False,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Fully connected layers of these sizes; between them batch norm if wanted, the activation, dropout if given."""
    parts: list[nn.Module] = []
    with seeded(seed):
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            parts.append(nn.Linear(inputs, outputs))
            if i == len(sizes) - 2:
                break
            parts += [nn.BatchNorm1d(outputs)] if batch_norm else []
            parts += [activation()] + ([dropout()] if dropout else [])
    return nn.Sequential(*parts)


def fit(
    model: M,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int = 30,
    batch: int = 64,
    optimizer: MakeOptimizer | None = None,
    loss: Loss = functional.cross_entropy,
    penalty: Callable[[], Tensor] | None = None,
    after_epoch: Callable[[], None] | None = None,
    frozen: Sequence[nn.Module] = (),
    seed: int = 0,
) -> M:
    """Trains `model` in place on rows of `x` and `y` and returns it in evaluation mode. `batch=0`: one step an epoch.

    `penalty` gives a scalar that is added to each step's loss. Modules in `frozen` stay in evaluation mode, so that
    their batch norm learns no statistics. Order of rows and dropout follow from `seed`.
    """
    size = batch or len(x)
    moves = (optimizer or adam())([p for p in model.parameters() if p.requires_grad])
    with seeded(seed):
        for _ in range(epochs):
            model.train()
            for module in frozen:
                module.eval()
            for rows in torch.randperm(len(x)).split(size):
                if len(rows) == 1 and len(x) > 1:
                    continue  # batch norm has no variance over one row
                moves.zero_grad()
                value = loss(model(x[rows]), y[rows])
                (value if penalty is None else value + penalty()).backward()
                moves.step()
            model.eval()
            if after_epoch is not None:
                after_epoch()
    return model


@torch.no_grad()
def loss_of(model: nn.Module, x: Tensor, y: Tensor, loss: Loss = functional.cross_entropy) -> float:
    """The mean loss, model as it is (put it in evaluation mode first)."""
    return float(loss(model(x), y))


@torch.no_grad()
def accuracy_of(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of rows whose largest output is the right class."""
    return float((model(x).argmax(1) == y).float().mean())


@dataclass(slots=True)
class Curves:
    """Losses and accuracies after each epoch, measured in evaluation mode on whole parts."""

    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)

    def recorder(self, model: nn.Module, split: Split) -> Callable[[], None]:
        """For `fit(after_epoch=...)`."""

        def record() -> None:
            self.train_loss.append(loss_of(model, split.x, split.y))
            self.test_loss.append(loss_of(model, split.x_test, split.y_test))
            self.train_accuracy.append(accuracy_of(model, split.x, split.y))
            self.test_accuracy.append(accuracy_of(model, split.x_test, split.y_test))

        return record


def weight_norm(model: nn.Module) -> float:
    """The Euclidean norm of all weight matrices (biases and norm layers left out)."""
    return float(torch.cat([p.detach().reshape(-1) for p in model.parameters() if p.ndim > 1]).norm())


def gradient_norm(model: nn.Module, x: Float[Tensor, "batch *features"], y: Tensor, loss: Loss) -> float:
    """The Euclidean norm of the loss' gradient over all parameters; the model's own gradients are left alone."""
    gradients = torch.autograd.grad(loss(model(x), y), list(model.parameters()))
    return float(torch.cat([g.reshape(-1) for g in gradients]).norm())
