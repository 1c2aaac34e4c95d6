"""Why dropout and batch norm disagree: dropout changes the variance between training and evaluation, batch norm
remembers one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

import torch
from torch import Tensor, nn

from osler.lab.plain_training import accuracy_of, adam, fit, seeded
from osler.lab.small_sets import digits
from osler.nn.dropout import GaussianDropout, UniformDropout


@dataclass(frozen=True, slots=True)
class Shift:
    """A kind of dropout on inputs of known mean and variance, followed or not by batch norm."""

    kind: str
    theory: float  # variance in evaluation / variance in training, of what the dropout hands on
    measured: float
    after_norm: float  # variance of batch norm's output in evaluation: 1 where nothing shifts


def shift_ratio(p: float, *, mean: float = 0.0, variance: float = 1.0) -> float:
    """Variance in evaluation over variance in training behind (inverted or Gaussian) dropout.

    In training E[x^2] / (1 - p) - mean^2, in evaluation the input's own variance (Li et al. 2018, section 3).
    """
    return variance / ((variance + mean**2) / (1 - p) - mean**2)


def uniform_shift_ratio(beta: float, *, mean: float = 0.0, variance: float = 1.0) -> float:
    """The same behind uniform dropout; 3 / (3 + beta^2) for inputs of mean zero."""
    return variance / ((variance + mean**2) * (1 + beta**2 / 3) - mean**2)


def variance_shift_table(
    *, p: float = 0.5, beta: float = 0.1, mean: float = 0.0, samples: int = 20_000, seed: int = 0
) -> list[Shift]:
    """No dropout, dropout, Gaussian and uniform dropout, on normal inputs of variance 1, each with a batch norm
    behind.
    """
    kinds: list[tuple[str, nn.Module, float]] = [
        ("none", nn.Identity(), 1.0),
        ("dropout", nn.Dropout(p), shift_ratio(p, mean=mean)),
        ("Gaussian dropout", GaussianDropout(p), shift_ratio(p, mean=mean)),
        ("uniform dropout", UniformDropout(beta), uniform_shift_ratio(beta, mean=mean)),
    ]
    return [Shift(name, theory, *_measure(part, mean, samples, seed)) for name, part, theory in kinds]


@torch.no_grad()
def _measure(dropout: nn.Module, mean: float, samples: int, seed: int) -> tuple[float, float]:
    """The ratio of variances behind the dropout, and the variance of batch norm's output in evaluation."""
    norm = nn.BatchNorm1d(8, affine=False, momentum=None)
    with seeded(seed):
        x = torch.randn(samples, 8) + mean
        dropout.train(), norm.train()
        dropped = dropout(x)
        for part in dropped.split(2000):
            norm(part)
        dropout.eval(), norm.eval()
        passed = dropout(x)
    ratio = passed.var(0).mean() / dropped.var(0).mean()
    return float(ratio), float(norm(passed).var(0).mean())


Position = Literal["none", "after each FC", "before softmax", "before BN"]
POSITIONS: tuple[Position, ...] = ("none", "after each FC", "before softmax", "before BN")


def network_with_dropout(position: Position, *, p: float = 0.5, width: int = 64, seed: int = 0) -> nn.Sequential:
    """FC, BN, ReLU twice, then the classifying FC, with dropout at one position.

    "after each FC" stands behind each hidden layer's ReLU, hence before the second layer's BN; "before softmax" only
    behind the last hidden layer, after all BN; "before BN" between each hidden FC and its BN.
    """
    parts: list[nn.Module] = []
    with seeded(seed):
        for i, inputs in enumerate((64, width)):
            parts += [nn.Linear(inputs, width)]
            parts += [nn.Dropout(p)] if position == "before BN" else []
            parts += [nn.BatchNorm1d(width), nn.ReLU()]
            last = i == 1
            parts += [nn.Dropout(p)] if position == "after each FC" or (position == "before softmax" and last) else []
        parts.append(nn.Linear(width, 10))
    return nn.Sequential(*parts)


@dataclass(frozen=True, slots=True)
class AtPosition:
    """Test accuracy over seeds, and how far batch norm's input shifts between training and evaluation."""

    position: Position
    accuracies: tuple[float, ...]
    shift: float  # smallest over the BN layers of evaluation variance / training variance of their inputs; 1 = no shift

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return mean(self.accuracies)

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds."""
        return stdev(self.accuracies)


def dropout_positions(
    *, seeds: Sequence[int] = (0, 1, 2, 3, 4), samples: int = 300, epochs: int = 25, p: float = 0.5
) -> list[AtPosition]:
    """The same small network on few digits with dropout in four positions, over seeds of split, start and order."""
    table = []
    for position in POSITIONS:
        accuracies, shifts = [], []
        for seed in seeds:
            data = digits(samples, seed=seed)
            model = network_with_dropout(position, p=p, seed=seed)
            fit(model, data.x, data.y, epochs=epochs, batch=50, optimizer=adam(), seed=seed)
            accuracies.append(accuracy_of(model, data.x_test, data.y_test))
            shifts.append(smallest_shift(model, data.x, seed=seed))
        table.append(AtPosition(position, tuple(accuracies), mean(shifts)))
    return table


@torch.no_grad()
def smallest_shift(model: nn.Sequential, x: Tensor, *, seed: int = 0) -> float:
    """Evaluation variance over training variance of each BN layer's inputs (mean over units), the smallest of the
    layers.
    """
    seen: dict[int, list[float]] = {}
    hooks = [
        m.register_forward_pre_hook(_keep_variance(seen.setdefault(i, [])))
        for i, m in enumerate(model)
        if isinstance(m, nn.BatchNorm1d)
    ]
    with seeded(seed):
        for dropping in (True, False):
            model.eval()  # batch norm as in evaluation both times, so that only the dropout differs
            for part in model:
                if isinstance(part, nn.Dropout):
                    part.train(dropping)
            model(x)
    for hook in hooks:
        hook.remove()
    model.eval()
    return min(passed / dropped for dropped, passed in seen.values())


def _keep_variance(into: list[float]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        into.append(float(inputs[0].var(0).mean()))

    return keep
