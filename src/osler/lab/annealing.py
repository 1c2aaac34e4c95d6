"""Ways out of local minima (rows OP20, OP21), on Rastrigin: several starts, and simulated annealing."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Points = Float[np.ndarray, "runs dimensions"]
Values = Float[np.ndarray, " runs"]

HALF_WIDTH = 5.12  # Rastrigin's usual box
BASIN = 0.5  # below this value a point lies in the basin of the global minimum: the next best minimum is at 0.995


def rastrigin(points: Points) -> Values:
    """10 d + sum(x^2 - 10 cos(2 pi x)): 0 at the origin, a local minimum near every other integer point."""
    return (10 + points**2 - 10 * np.cos(2 * np.pi * points)).sum(-1)


def rastrigin_gradient(points: Points) -> Points:
    """The gradient of `rastrigin`."""
    return 2 * points + 20 * np.pi * np.sin(2 * np.pi * points)


def acceptance(rise: Values, temperature: float) -> Values:
    """The probability of a step by which the value rises, e^(-rise / temperature); 1 for a fall (Metropolis 1953)."""
    return np.exp(-np.maximum(rise, 0) / temperature)


@dataclass(frozen=True, slots=True)
class Search:
    """The best that each of several independent runs found."""

    points: Points
    values: Values
    accepted_rises: Float[np.ndarray, " steps"] | None = None  # share of the proposed rises that were taken, by step

    @property
    def success_rate(self) -> float:
        """Share of the runs that ended in the basin of the global minimum."""
        return float((self.values < BASIN).mean())


def simulated_annealing(
    *, runs: int = 100, steps: int = 3000, dimensions: int = 2, hot: float = 10.0, cold: float = 0.01, seed: int = 0
) -> Search:
    """Random steps, falls always taken, rises with `acceptance`, while the temperature falls (Kirkpatrick et al. 1983).

    The temperature falls by the same factor at each step.

    The steps shrink with the root of the temperature, so that about as many are taken late as early.
    """
    random = np.random.default_rng(seed)
    points = random.uniform(-HALF_WIDTH, HALF_WIDTH, (runs, dimensions))
    values = rastrigin(points)
    best, best_values, taken_rises = points.copy(), values.copy(), np.full(steps, np.nan)
    for step, temperature in enumerate(np.geomspace(hot, cold, steps)):
        reach = math.sqrt(temperature / hot)
        proposed = np.clip(points + random.normal(0, 2 * reach, points.shape), -HALF_WIDTH, HALF_WIDTH)
        rise = rastrigin(proposed) - values
        taken = random.random(runs) < acceptance(rise, temperature)
        if (rise > 0).any():
            taken_rises[step] = taken[rise > 0].mean()
        points[taken], values[taken] = proposed[taken], values[taken] + rise[taken]
        better = values < best_values
        best[better], best_values[better] = points[better], values[better]
    return Search(best, best_values, taken_rises)


def descend(points: Points, *, lr: float = 0.002, steps: int = 500) -> Search:
    """Gradient descent from each point; the largest curvature is 2 + 40 pi^2, so that 0.002 is stable."""
    for _ in range(steps):
        points = points - lr * rastrigin_gradient(points)
    return Search(points, rastrigin(points))


@dataclass(frozen=True, slots=True)
class MultiStartRow:
    """The best of k descents."""

    starts: int
    mean_best: float  # mean over the repetitions of the best value
    success_rate: float  # share of the repetitions with a start in the basin of the global minimum


def multi_start(
    starts: tuple[int, ...] = (1, 4, 16, 64, 256), *, repetitions: int = 100, dimensions: int = 2, seed: int = 0
) -> tuple[MultiStartRow, ...]:
    """Best-of-k by k: descents from uniform random points, the first k of each repetition's counted."""
    random = np.random.default_rng(seed)
    points = random.uniform(-HALF_WIDTH, HALF_WIDTH, (repetitions * max(starts), dimensions))
    values = descend(points).values.reshape(repetitions, max(starts))
    best = [values[:, :k].min(1) for k in starts]
    return tuple(
        MultiStartRow(k, float(b.mean()), float((b < BASIN).mean())) for k, b in zip(starts, best, strict=True)
    )
