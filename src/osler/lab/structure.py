"""Adjusting the structure: a grid of widths and depths, and the smallest network that is good enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from osler.lab.plain_training import accuracy_of, fit, mlp
from osler.lab.small_sets import digits


@dataclass(frozen=True, slots=True)
class Shape:
    """A network of `depth` hidden layers of `width` units: errors (shares of mistakes), means over seeds."""

    width: int
    depth: int
    parameters: int
    train_error: float
    test_error: float
    standard_error: float  # of the test error's mean


@dataclass(frozen=True, slots=True)
class Grid:
    """All shapes, and the fewest parameters that are adequate."""

    shapes: tuple[Shape, ...]
    smallest_adequate: Shape


def structure_grid(
    widths: Sequence[int] = (4, 16, 64),
    depths: Sequence[int] = (1, 2, 3),
    *,
    samples: int = 300,
    epochs: int = 40,
    seeds: Sequence[int] = (0, 1, 2),
) -> Grid:
    """Every width with every depth on few digits.

    Adequate is a shape whose test error lies within one standard error of the best one's (Breiman et al. 1984,
    section 3.4.3).
    """
    shapes = [_shape(w, d, samples, epochs, seeds) for d in depths for w in widths]
    best = min(shapes, key=lambda s: s.test_error)
    return Grid(tuple(shapes), smallest_adequate(shapes, within=best.standard_error))


def smallest_adequate(shapes: Sequence[Shape], *, within: float) -> Shape:
    """The shape of fewest parameters whose test error is at most `within` above the smallest."""
    limit = min(s.test_error for s in shapes) + within
    return min((s for s in shapes if s.test_error <= limit), key=lambda s: s.parameters)


def _shape(width: int, depth: int, samples: int, epochs: int, seeds: Sequence[int]) -> Shape:
    train, test, parameters = [], [], 0
    for seed in seeds:
        data = digits(samples, seed=seed)
        model = fit(mlp(64, *[width] * depth, 10, seed=seed), data.x, data.y, epochs=epochs, batch=50, seed=seed)
        train.append(1 - accuracy_of(model, data.x, data.y))
        test.append(1 - accuracy_of(model, data.x_test, data.y_test))
        parameters = sum(p.numel() for p in model.parameters())
    return Shape(width, depth, parameters, mean(train), mean(test), stdev(test) / len(seeds) ** 0.5)
