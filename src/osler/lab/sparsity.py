"""L1 makes weights exactly zero, L2 only small: a logistic regression, its paths over the penalty, its contours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.small_sets import breast_cancer
from osler.training.parameter_groups import parameter_groups
from osler.training.proximal import soft_threshold

Penalty = Literal["l1", "l2"]


@dataclass(frozen=True, slots=True)
class Sparse:
    """A logistic regression under one penalty."""

    penalty: Penalty
    strength: float
    weights: Float[Tensor, " features"]
    accuracy: float  # on the rows that it was fitted on

    @property
    def zeros(self) -> int:
        """How many weights are exactly zero."""
        return int((self.weights == 0).sum())

    @property
    def norm(self) -> float:
        """The Euclidean length of the weights."""
        return float(self.weights.norm())


def logistic(
    x: Float[Tensor, "n features"],
    y: Int[Tensor, " n"],
    penalty: Penalty,
    strength: float,
    *,
    steps: int = 1000,
    start: nn.Linear | None = None,
) -> tuple[Sparse, nn.Linear]:
    """Mean logistic loss + strength |w| (L1) or strength ||w||^2 / 2 (L2), by accelerated gradient descent at the
    safe rate.

    L1 is the proximal step of `osler.training`, L2 the decay of torch's SGD; the intercept is free of either. The
    rate is the inverse of the loss' curvature bound, ||X||^2 / 4n; the acceleration is FISTA's (Beck and Teboulle
    2009, section 4).
    """
    columns = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    decay = strength if penalty == "l2" else 0.0
    curvature = float(torch.linalg.matrix_norm(columns, 2)) ** 2 / (4 * len(x)) + decay
    model = _line(x, start)
    optimizer = torch.optim.SGD(parameter_groups(model, lr=1 / curvature, weight_decay=decay, split=True))
    targets, parts, pace = y.to(x.dtype), list(model.parameters()), 1.0
    before = [p.detach().clone() for p in parts]
    for _ in range(steps):
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(model(x)[:, 0], targets).backward()
        optimizer.step()
        if penalty == "l1":
            soft_threshold(optimizer, strength)
        now = [p.detach().clone() for p in parts]
        faster = (1 + (1 + 4 * pace**2) ** 0.5) / 2
        _set(parts, [n + (pace - 1) / faster * (n - b) for n, b in zip(now, before, strict=True)])
        before, pace = now, faster
    _set(parts, before)
    right = float(((model(x)[:, 0] > 0) == (y == 1)).double().mean())
    return Sparse(penalty, strength, model.weight.detach()[0].clone(), right), model


def _line(x: Float[Tensor, "n features"], start: nn.Linear | None) -> nn.Linear:
    """A linear layer with one output, zero or as `start`."""
    model = nn.Linear(x.shape[1], 1, dtype=x.dtype)
    zeros = [torch.zeros_like(p) for p in model.parameters()]
    _set(list(model.parameters()), zeros if start is None else list(start.parameters()))
    return model


@torch.no_grad()
def _set(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)


def zeros_on_breast_cancer(*, inverse_strength: float = 0.05, steps: int = 1000) -> dict[Penalty, Sparse]:
    """L1 and L2 on scikit-learn's breast-cancer table (30 columns), at scikit-learn's C: strength = 1 / (C n)."""
    data = breast_cancer()
    strength = 1 / (inverse_strength * len(data))
    return {
        "l1": logistic(data.x, data.y, "l1", strength, steps=steps)[0],
        "l2": logistic(data.x, data.y, "l2", strength, steps=steps)[0],
    }


def penalty_path(penalty: Penalty, strengths: Sequence[float] | None = None, *, steps: int = 200) -> list[Sparse]:
    """The weights on the breast-cancer table as the penalty falls, each fit starting where the one before ended.

    The default strengths go down from the largest gradient of the loss at zero weights: from there on L1 keeps nothing.
    """
    data = breast_cancer()
    if strengths is None:
        strengths = [1.001 * largest_useful(data.x, data.y) * 10 ** (-k / 2) for k in range(7)]
    path, model = [], None
    for strength in sorted(strengths, reverse=True):
        fitted, model = logistic(data.x, data.y, penalty, strength, steps=steps, start=model)
        path.append(fitted)
    return path


def largest_useful(x: Float[Tensor, "n features"], y: Int[Tensor, " n"]) -> float:
    """The L1 strength from which all weights are zero: the largest gradient where only the intercept is fitted."""
    targets = y.to(x.dtype)
    return float((x.t() @ (targets.mean() - targets) / len(x)).abs().max())


@dataclass(frozen=True, slots=True)
class Touch:
    """Where the smallest loss within a ball lies, for many losses in two dimensions."""

    penalty: Penalty
    ball: Float[Tensor, "points 2"]  # the ball's rim
    points: Float[Tensor, "losses 2"]  # the touching points

    @property
    def on_axis(self) -> float:
        """The share of losses whose best point has one weight exactly zero."""
        return float((self.points == 0).any(1).double().mean())


def where_contours_touch(penalty: Penalty, *, losses: int = 200, seed: int = 0) -> Touch:
    """Round losses |w - c|^2 with random centres outside the unit ball: the best point of the ball for each.

    The L1 ball has corners on the axes, and a whole fan of centres touches there; the L2 ball has none (Hastie et al.
    2009, figure 3.11).
    """
    generator = torch.Generator().manual_seed(seed)
    angles = torch.rand(losses, generator=generator, dtype=torch.float64) * 2 * torch.pi
    lengths = 1.5 + torch.rand(losses, generator=generator, dtype=torch.float64)
    centres = lengths[:, None] * torch.stack([angles.cos(), angles.sin()], dim=1)
    turn = torch.linspace(0, 2 * torch.pi, 201, dtype=torch.float64)
    circle = torch.stack([turn.cos(), turn.sin()], dim=1)
    if penalty == "l2":
        return Touch("l2", circle, centres / centres.norm(dim=1, keepdim=True))
    return Touch("l1", circle / circle.abs().sum(1, keepdim=True), onto_l1_ball(centres))


def onto_l1_ball(points: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """The nearest points of the unit L1 ball to points outside it (Duchi et al. 2008, figure 1)."""
    sizes, _ = points.abs().sort(dim=1, descending=True)
    counts = torch.arange(1, points.shape[1] + 1)
    excess = (sizes.cumsum(1) - 1) / counts
    kept = (sizes > excess).sum(1, keepdim=True)
    return points.sign() * (points.abs() - excess.gather(1, kept - 1)).clamp_min(0)
