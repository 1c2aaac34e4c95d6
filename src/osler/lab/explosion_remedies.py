"""Remedies for exploding gradients, each alone: a deep network that starts too large, and a recurrent one (row TD26).

The lists name clipping and a penalty on the weights; one of them files the ReLU family, batch norm and residual
connections here too. Glorot and Bengio's start stands in none of them: it takes the cause away.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from osler.lab.gradient_clipping import Accumulator
from osler.lab.plain_training import seeded
from osler.lab.remedy_table import Outcome, RemedyTable, at_end, at_start, tried
from osler.lab.small_sets import Split, digits
from osler.nn.initialisation import initialise
from osler.training.clipping import clip_gradients

DEPTH, WIDTH, GAIN = 12, 64, 4.0  # the weights' spread is GAIN / sqrt(WIDTH)
Penalty = Callable[[nn.Module], Tensor]


@dataclass(frozen=True, slots=True)
class Way:
    """What is changed: the network's parts, its start, the clipping, the penalty."""

    how: str
    activation: Callable[[], nn.Module] = nn.Tanh
    norm: bool = False
    residual: bool = False
    start: str = ""  # by that name, in place of the spread that is too large
    clip: tuple[float, float] = (0.0, 0.0)  # norm, value
    penalty: Penalty | None = None


def squares(strength: float) -> Penalty:
    """L2: `strength` / 2 times the sum of squared weights."""
    return lambda model: strength / 2 * torch.stack([p.square().sum() for p in model.parameters() if p.ndim > 1]).sum()


def sizes(strength: float) -> Penalty:
    """L1: `strength` times the sum of the weights' sizes."""
    return lambda model: strength * torch.stack([p.abs().sum() for p in model.parameters() if p.ndim > 1]).sum()


WAYS: dict[str, tuple[Way, ...]] = {
    "clipping by norm": tuple(Way(f"to {c:g}", clip=(c, 0.0)) for c in (1.0, 0.1)),
    "clipping by value": tuple(Way(f"to {c:g}", clip=(0.0, c)) for c in (0.01, 0.001)),
    "L2 on the weights": tuple(Way(f"{c:g}", penalty=squares(c)) for c in (0.01, 0.1)),
    "L1 on the weights": tuple(Way(f"{c:g}", penalty=sizes(c)) for c in (3e-4, 3e-3)),
    "ReLU": (Way("in place of tanh", activation=nn.ReLU),),
    "leaky ReLU": (Way("in place of tanh, slope 0.01", activation=nn.LeakyReLU),),
    "batch norm": (Way("before each tanh", norm=True),),
    "residual connections": (Way("around each layer", residual=True),),
    "a smaller start": (Way("Glorot and Bengio's; in none of the lists", start="xavier_normal"),),
}


class Layer(nn.Module):
    """A linear layer and its activation; batch norm between them, and a shortcut around both, if wanted."""

    def __init__(self, way: Way) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.BatchNorm1d(WIDTH) if way.norm else nn.Identity()
        self.activation = way.activation()
        self.residual = way.residual

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 64) to (batch, 64)."""
        y = self.activation(self.norm(self.linear(x)))
        return x + y if self.residual else y


def network(way: Way, *, seed: int) -> nn.Sequential:
    """Twelve layers with weights four times as large as a linear layer would need, or started as the way says."""
    with seeded(seed):
        model = nn.Sequential(*(Layer(way) for _ in range(DEPTH)), nn.Linear(WIDTH, 10))
        if way.start:
            initialise(model, way.start)
        else:
            initialise(model, "normal", options={"std": GAIN / WIDTH**0.5})
    return model


def descend(
    model: nn.Module, loss: Callable[[], Tensor], *, rate: float, momentum: float = 0.0, way: Way, steps: int
) -> None:
    """Gradient descent with the way's clipping and penalty; ends early at a loss that is no number."""
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=rate, momentum=momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        if not torch.isfinite(value):
            return
        (value if way.penalty is None else value + way.penalty(model)).backward()
        if any(way.clip):
            clip_gradients(parameters, norm=way.clip[0], value=way.clip[1])
        optimizer.step()


def explosion_table(
    names: Sequence[str] = tuple(WAYS), *, steps: int = 600, seeds: Sequence[int] = (0, 1, 2)
) -> RemedyTable:
    """Each remedy alone on the deep network, 600 digits in batches of 32, gradient descent with momentum.

    Of a remedy with several settings the best on held-out digits stands in the table.
    """

    def measure(way: Way, seed: int) -> Outcome:
        data = digits(600, seed=seed)
        model = network(way, seed=seed)
        matrices = [p for p in model.parameters() if p.ndim == 2]
        start = at_start(model, matrices[0], matrices[-2], data.x, data.y)
        with seeded(seed):

            def loss() -> Tensor:
                rows = torch.randint(len(data), (32,))
                return functional.cross_entropy(model(data.x[rows]), data.y[rows])

            descend(model, loss, rate=0.02, momentum=0.9, way=way, steps=steps)
        return at_end(model.eval(), data, start)

    sick = tried("none", "tanh, weights of spread 0.5", partial(measure, Way("")), seeds)
    trials = {name: [tried(name, w.how, partial(measure, w), seeds) for w in WAYS[name]] for name in names}
    return RemedyTable(sick, tuple(max(some, key=lambda t: t.mean("test")) for some in trials.values()))


RECURRENT: dict[str, tuple[Way, ...]] = {
    "clipping by norm": tuple(Way(f"to {c:g}", clip=(c, 0.0)) for c in (1.0, 10.0)),
    "clipping by value": tuple(Way(f"to {c:g}", clip=(0.0, c)) for c in (0.1, 1.0)),
    "L2 on the weights": tuple(Way(f"{c:g}", penalty=squares(c)) for c in (0.1, 1.0, 10.0)),
    "L1 on the weights": tuple(Way(f"{c:g}", penalty=sizes(c)) for c in (0.01, 0.1, 1.0)),
}


@dataclass(frozen=True, slots=True)
class Recurred:
    """A recurrent network's squared error over that of the best constant, by seed; inf where it was no number."""

    remedy: str
    how: str
    errors: tuple[float, ...]
    gradients: tuple[float, ...]  # norm at the start

    @property
    def diverged(self) -> int:
        """How many seeds ended worse than the best constant."""
        return sum(not error < 1 for error in self.errors)


def recurrent_explosion(
    *, gain: float = 1.1, length: int = 30, steps: int = 300, seeds: Sequence[int] = (0, 1, 2)
) -> tuple[Recurred, ...]:
    """A linear recurrent network learns the mean of a series; its matrix stretches by 1.1 a step. First row: as it is.

    Of a remedy's settings the one of least error stands there.
    After Pascanu, Mikolov and Bengio 2013 ("On the difficulty of training recurrent neural networks", section 3.2).
    """
    rows = []
    for name, ways in {"none": (Way(f"stretches by {gain} a step"),), **RECURRENT}.items():
        some = []
        for way in ways:
            pairs = [_recurred(way, gain, length, steps, seed) for seed in seeds]
            some.append(Recurred(name, way.how, tuple(e for e, _ in pairs), tuple(g for _, g in pairs)))
        rows.append(min(some, key=lambda row: sum(row.errors)))
    return tuple(rows)


def _recurred(way: Way, gain: float, length: int, steps: int, seed: int) -> tuple[float, float]:
    with seeded(seed):
        model = Accumulator(16, gain)
        held = torch.randn(500, length)
        data = Split(held, held.mean(1), held, held.mean(1))
        _, gradient = at_start(model, model.across.weight, model.across.weight, data.x, data.y, functional.mse_loss)

        def loss() -> Tensor:
            series = torch.randn(32, length)
            return functional.mse_loss(model(series), series.mean(1))

        descend(model, loss, rate=0.01, way=way, steps=steps)
        with torch.no_grad():
            error = float(functional.mse_loss(model(held), data.y) / data.y.var(correction=0))
    return (error if math.isfinite(error) else math.inf), gradient
