"""A remedy applied alone to a sick network: what was measured over seeds, and whether it helped."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.plain_training import Loss, accuracy_of, loss_of, weight_norm
from osler.lab.small_sets import Split

Verdict = Literal["helps", "helps a little", "no clear effect", "harms"]
CLEAR = 0.02  # two points of accuracy: a standard error on 400 held-out digits at 80 %


@dataclass(frozen=True, slots=True)
class Outcome:
    """One network of one seed. Shares are of right answers; a network whose outputs are no numbers has none."""

    train: float
    test: float
    ratio: float = math.nan  # gradient of the first layer's weights over that of the last hidden layer's, at the start
    gradient: float = math.nan  # Euclidean norm of the gradient over all weights, at the start
    weights: float = math.nan  # Euclidean norm of all weight matrices, at the end
    train_loss: float = math.nan  # at the end
    finite: bool = True  # whether the loss stayed a number

    @property
    def gap(self) -> float:
        """How much better the network is on what it was trained on."""
        return self.train - self.test


@dataclass(frozen=True, slots=True)
class Trial:
    """A remedy and what it gave, one outcome for each seed. `how`: its settings in words."""

    remedy: str
    how: str
    outcomes: tuple[Outcome, ...]

    def mean(self, figure: str) -> float:
        """Of one of the outcomes' figures, over the seeds."""
        return mean(float(getattr(o, figure)) for o in self.outcomes)

    def middle(self, figure: str) -> float:
        """The median over the seeds: for figures that differ by orders of magnitude."""
        return median(float(getattr(o, figure)) for o in self.outcomes)

    def spread(self, figure: str) -> float:
        """Half the distance between the seeds' largest and smallest figure."""
        values = [float(getattr(o, figure)) for o in self.outcomes]
        return (max(values) - min(values)) / 2


@dataclass(frozen=True, slots=True)
class RemedyTable:
    """The sick network, and each remedy alone on it from the same start, data and order of samples."""

    sick: Trial
    trials: tuple[Trial, ...]

    def trial(self, remedy: str) -> Trial:
        """The one of that name."""
        return next(t for t in self.trials if t.remedy == remedy)

    def gains(self, remedy: str, figure: str = "test") -> tuple[float, ...]:
        """What the remedy adds to a figure, seed by seed."""
        pairs = zip(self.trial(remedy).outcomes, self.sick.outcomes, strict=True)
        return tuple(float(getattr(after, figure)) - float(getattr(before, figure)) for after, before in pairs)

    def verdict(self, remedy: str, figure: str = "test") -> Verdict:
        """By the gain in a share of right answers."""
        return judged(self.gains(remedy, figure))


def judged(gains: Sequence[float]) -> Verdict:
    """`helps` or `harms`: by two points in the mean, and in the same direction for every seed."""
    if min(gains) > 0:
        return "helps" if mean(gains) >= CLEAR else "helps a little"
    return "harms" if max(gains) < 0 and mean(gains) <= -CLEAR else "no clear effect"


def tried(remedy: str, how: str, measure: Callable[[int], Outcome], seeds: Sequence[int]) -> Trial:
    """One remedy over the seeds."""
    return Trial(remedy, how, tuple(measure(seed) for seed in seeds))


def at_start(
    model: nn.Module,
    first: Tensor,
    last: Tensor,
    x: Tensor,
    y: Tensor,
    loss: Loss = functional.cross_entropy,
) -> tuple[float, float]:
    """The gradient of `first` over that of `last` (root mean squares), and the norm over all parameters.

    In double precision, so that small gradients are no zeros; a gradient that is no number gives inf.
    """
    before = torch.is_grad_enabled()
    with torch.set_grad_enabled(True):
        gradients = torch.autograd.grad(loss(model(x), y), list(model.parameters()), allow_unused=True)
    torch.set_grad_enabled(before)
    by_name = {id(p): g.double() for p, g in zip(model.parameters(), gradients, strict=True) if g is not None}
    if not all(g.isfinite().all() for g in by_name.values()):
        return math.inf, math.inf
    sizes = [float(by_name[id(p)].square().mean().sqrt()) for p in (first, last)]
    total = float(torch.stack([g.square().sum() for g in by_name.values()]).sum().sqrt())
    return (sizes[0] / sizes[1] if sizes[1] else math.nan), total


def at_end(
    model: nn.Module, data: Split, start: tuple[float, float] = (math.nan, math.nan), *, on: Split | None = None
) -> Outcome:
    """What became of a network in evaluation mode. `on`: the samples to call its training samples, if not all."""
    seen = on or data
    loss = loss_of(model, seen.x, seen.y)
    if not math.isfinite(loss):
        return Outcome(0.0, 0.0, *start, train_loss=loss, finite=False)
    train, test = accuracy_of(model, seen.x, seen.y), accuracy_of(model, data.x_test, data.y_test)
    return Outcome(train, test, *start, weights=weight_norm(model), train_loss=loss)
