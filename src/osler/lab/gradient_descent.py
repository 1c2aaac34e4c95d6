"""Batch, mini-batch and stochastic gradient descent (rows OP01 to OP04): which samples make the gradient of a step."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from osler.lab.digits_halves import digits_halves
from osler.lab.small_training import mlp, train_digits
from osler.training.section import TrainSection


def flat_gradient(
    module: nn.Module, inputs: Float[Tensor, "samples 64"], labels: Int[Tensor, " samples"]
) -> Float[Tensor, " weights"]:
    """The gradient of the mean cross-entropy over some samples, all parameters as one vector."""
    gradients = torch.autograd.grad(cross_entropy(module(inputs), labels), tuple(module.parameters()))
    return torch.cat([g.flatten() for g in gradients])


def sample_gradients(
    module: nn.Module, inputs: Float[Tensor, "samples 64"], labels: Int[Tensor, " samples"]
) -> Float[Tensor, "samples weights"]:
    """The gradient of each sample's own loss, a row each."""
    weights = {n: p.detach() for n, p in module.named_parameters()}

    def loss(parameters: dict[str, Tensor], one: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(functional_call(module, parameters, (one[None],)), label[None])

    rows = vmap(grad(loss), in_dims=(None, 0, 0))(weights, inputs, labels)
    return torch.cat([rows[n].flatten(1) for n in weights], dim=1)


@dataclass(frozen=True, slots=True)
class NoiseRow:
    """The gradient's noise at one batch size."""

    batch_size: int
    bias: float  # |mean of the estimates - full gradient| / |full gradient|
    variance: float  # mean of |estimate - full gradient|^2
    predicted: float  # the variance of one sample's gradient over the batch size


def gradient_noise(
    module: nn.Module, batch_sizes: tuple[int, ...] = (1, 4, 16, 64, 256), *, draws: int = 2000, seed: int = 0
) -> tuple[NoiseRow, ...]:
    """Draws batches with replacement: the estimate is unbiased and its variance goes as 1/B (Bottou et al.

    2018, section 4).
    """
    data = digits_halves()
    rows = sample_gradients(module, data.inputs, data.labels)
    full = rows.mean(0)
    one = (rows - full).square().sum(1).mean().item()
    generator, found = torch.Generator().manual_seed(seed), []
    for size in batch_sizes:
        # how often each sample is drawn, as a matrix: its product with the rows are the estimates
        counts = torch.zeros(draws, len(rows))
        chosen = torch.randint(len(rows), (draws, size), generator=generator)
        counts.scatter_add_(1, chosen, torch.ones(draws, size))
        estimates = counts @ rows / size
        bias = ((estimates.mean(0) - full).norm() / full.norm()).item()
        variance = (estimates - full).square().sum(1).mean().item()
        found.append(NoiseRow(size, bias, variance, one / size))
    return tuple(found)


def step_cost(samples: int) -> int:
    """Multiplications and additions of one step of gradient descent on so many samples, counted by PyTorch."""
    data, module = digits_halves(), mlp()
    with FlopCounterMode(display=False) as counter:
        flat_gradient(module, data.inputs[:samples], data.labels[:samples])
    return int(counter.get_total_flops())


def descent_path(*, order_seed: int, batch_size: int, epochs: int, lr: float = 0.1) -> Float[Tensor, " losses"]:
    """The losses of a training from fixed weights: with all samples in each batch, their order cannot matter."""
    section = TrainSection(
        epochs=epochs, batch_size=batch_size, optimizer="sgd", lr=lr, weight_decay=0, schedule="constant"
    )
    return torch.tensor(train_digits(mlp(), section, seed=order_seed).losses)


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """Learning from one sample at a time at one learning rate."""

    lr: float
    schedule: str
    accuracy: float  # on the test half


def online_learning(*, epochs: int = 2, seed: int = 0) -> tuple[OnlineRow, ...]:
    """Batch size 1 at a large, a small and a decaying learning rate: only the large one does not settle."""
    rows = []
    tried: tuple[tuple[float, Literal["constant", "polynomial"]], ...]
    tried = ((0.5, "constant"), (0.01, "constant"), (0.05, "polynomial"))
    for lr, schedule in tried:
        section = TrainSection(epochs=epochs, batch_size=1, optimizer="sgd", lr=lr, weight_decay=0, schedule=schedule)
        rows.append(OnlineRow(lr, schedule, train_digits(mlp(), section, seed=seed).accuracy))
    return tuple(rows)


def steps_to_shrink(*, condition: float, momentum: float, tolerance: float = 1e-6) -> int:
    """Steps until 1/2 (x^2 + condition y^2) is minimised to `tolerance` from (1, 1), at the best rate.

    The best rates are Polyak's (1964): 2 / (L + l) without, 4 / (sqrt(L) + sqrt(l))^2 with momentum, for curvatures l
    to L.
    """
    curvatures = torch.tensor([1.0, condition], dtype=torch.float64)
    lr = 4 / (math.sqrt(condition) + 1) ** 2 if momentum else 2 / (condition + 1)
    place = nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = torch.optim.SGD([place], lr=lr, momentum=momentum)
    for step in range(1, 100_000):
        place.grad = curvatures * place.detach()
        optimizer.step()
        if place.detach().abs().max() < tolerance:
            return step
    return 100_000
