"""Optimisers side by side (rows OP10, OP19): ways through a valley, curves on digits, the tuned end result."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.lab.digits_halves import DigitsHalves, digits_halves
from osler.lab.small_training import mlp, train_digits
from osler.training.optimizer import build_optimizer
from osler.training.section import TrainSection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Learning rates at which each gets down the valley below; all from TrainSection's own optimisers.
VALLEY_LRS = {
    "sgd": 0.03,
    "momentum": 0.01,
    "nesterov": 0.01,
    "adagrad": 0.5,
    "rmsprop": 0.03,
    "adam": 0.1,
    "adamw": 0.1,
}
DIGITS_LRS = {
    "sgd": 0.1,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.02,
    "rmsprop": 0.002,
    "adam": 0.003,
    "adamw": 0.003,
}


class Valley(nn.Module):
    """1/2 (x^2 + 50 y^2): a valley fifty times steeper across than along, begun from (-2, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor([[-2.0, 1.0]]))

    def forward(self) -> Tensor:
        """The height at the place."""
        x, y = self.place[0]
        return (x**2 + 50 * y**2) / 2


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The way of an optimiser through the valley."""

    optimizer: str
    places: Float[Tensor, "steps 2"]
    heights: tuple[float, ...]


def trajectories(names: Sequence[str] = tuple(VALLEY_LRS), *, steps: int = 100) -> tuple[Trajectory, ...]:
    """Where each optimiser goes from the same place, one gradient a step."""
    found = []
    for name in names:
        valley = Valley()
        section = TrainSection(optimizer=name, lr=VALLEY_LRS[name], weight_decay=0)
        optimizer = build_optimizer(section, valley, batch_size=1)
        places, heights = [], []
        for _ in range(steps):
            optimizer.zero_grad()
            height = valley()
            places.append(valley.place[0].detach().clone())
            heights.append(height.item())
            height.backward()
            optimizer.step()
        found.append(Trajectory(name, torch.stack(places), tuple(heights)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """A training on the digits."""

    optimizer: str
    losses: tuple[float, ...]
    accuracy: float  # on the test half


def curves(names: Sequence[str] = tuple(DIGITS_LRS), *, epochs: int = 3) -> tuple[TrainingCurve, ...]:
    """The losses of each optimiser on the same network and data."""
    found = []
    for name in names:
        section = TrainSection(
            optimizer=name, lr=DIGITS_LRS[name], weight_decay=0, epochs=epochs, schedule="constant", batch_size=32
        )
        course = train_digits(mlp(), section)
        found.append(TrainingCurve(name, tuple(course.losses), course.accuracy))
    return tuple(found)


def draw(ways: Sequence[Trajectory], courses: Sequence[TrainingCurve]) -> "Figure":
    """Ways through the valley and training curves on one page."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    valley, training = figure.subplots(1, 2)
    x, y = torch.meshgrid(torch.linspace(-2.2, 1, 80), torch.linspace(-1.1, 1.1, 80), indexing="xy")
    valley.contour(x, y, (x**2 + 50 * y**2) / 2, levels=12, colors="0.8")
    for way in ways:
        valley.plot(way.places[:, 0], way.places[:, 1], marker=".", markersize=3, linewidth=1, label=way.optimizer)
    valley.set(title="A valley 50 times steeper across than along", xlabel="x", ylabel="y")
    valley.legend()
    for course in courses:
        training.plot(course.losses, linewidth=1, label=f"{course.optimizer}: {course.accuracy:.1%} of the test half")
    training.set(title="Digits", xlabel="update", ylabel="training loss", yscale="log")
    training.legend()
    return figure


@dataclass(frozen=True, slots=True)
class TunedResult:
    """An optimiser at its best learning rate."""

    optimizer: str
    lr: float
    accuracies: tuple[float, ...]  # on the test half, by seed

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return mean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds."""
        return stdev(self.accuracies)


def tuned(
    name: str, lrs: Sequence[float], *, epochs: int = 15, seeds: Sequence[int] = (0, 1, 2), hidden: int = 64
) -> TunedResult:
    """Chooses the learning rate on a third of the training half, then trains on all of it; test accuracy by seed."""

    def section(lr: float) -> TrainSection:
        return TrainSection(optimizer=name, lr=lr, epochs=epochs, batch_size=32, schedule="cosine")

    whole = digits_halves()
    held_out = DigitsHalves(whole.inputs[:600], whole.labels[:600], whole.inputs[600:], whole.labels[600:])
    chosen = max(lrs, key=lambda lr: train_digits(mlp(hidden), section(lr), data=held_out).accuracy)
    scores = tuple(train_digits(mlp(hidden, seed=s), section(chosen), seed=s).accuracy for s in seeds)
    return TunedResult(name, chosen, scores)
