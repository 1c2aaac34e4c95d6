"""How far evaluation samples lie from training samples, beyond what sampling and class shares explain."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from osler.doctor.data_seen import DataSeen, Rows

FEWEST = 30
FEWEST_OF_A_CLASS = 8


@dataclass(frozen=True)
class Shift:
    """Between training and held-out samples."""

    distance: float  # mean over values of the squared distance of class means, in spreads, less sampling error
    means: tuple[float, float]
    spreads: tuple[float, float]
    order: tuple[int, ...] | None  # channels in this order fit, and as they stand they do not


def shift(data: DataSeen) -> Shift | None:
    """None where there are tokens, or too few samples on one side."""
    fresh, held = data.fresh, data.held_out
    if data.counts or len(fresh) < FEWEST or len(held) < FEWEST:
        return None
    if not np.isfinite(fresh.values).all() or not np.isfinite(held.values).all():
        return None
    groups = _groups(fresh, held)
    plain = _distance(groups, fresh, held)
    order = _better_order(groups, data) if len(data.shape) == 3 and data.shape[0] == 3 else None
    distance = max(plain, order[1]) if order is not None else plain
    x, y = fresh.values, held.values
    return Shift(
        distance, (float(x.mean()), float(y.mean())), (float(x.std()), float(y.std())), order[0] if order else None
    )


def _groups(fresh: Rows, held: Rows) -> list[tuple[np.ndarray, np.ndarray]]:
    """The samples of each class on both sides; all together without classes."""
    if fresh.classes is None or held.classes is None:
        return [(np.arange(len(fresh)), np.arange(len(held)))]
    found = []
    for label in np.intersect1d(fresh.classes, held.classes):
        mine, theirs = np.flatnonzero(fresh.classes == label), np.flatnonzero(held.classes == label)
        if min(len(mine), len(theirs)) >= FEWEST_OF_A_CLASS:
            found.append((mine, theirs))
    return found or [(np.arange(len(fresh)), np.arange(len(held)))]


def _distance(groups: list[tuple[np.ndarray, np.ndarray]], fresh: Rows, held: Rows) -> float:
    """Of columns with a spread, averaged over classes."""
    spread = np.sqrt((fresh.values.var(0) + held.values.var(0)) / 2)
    lively = spread > 0.05 * np.sqrt((spread**2).mean())
    if not lively.any():
        return 0.0
    return float(np.mean([_between(fresh.values[a][:, lively], held.values[b][:, lively]) for a, b in groups]))


def _between(mine: np.ndarray, theirs: np.ndarray) -> float:
    """Squared distance of means in pooled spreads, less what sampling alone gives."""
    variance = (mine.var(0) + theirs.var(0)) / 2
    variance = np.maximum(variance, 0.05 * variance.mean() + 1e-12)
    squared = (mine.mean(0) - theirs.mean(0)) ** 2 / variance
    expected = (mine.var(0) / len(mine) + theirs.var(0) / len(theirs)) / variance
    return float(np.mean(squared - expected))


def _better_order(groups: list[tuple[np.ndarray, np.ndarray]], data: DataSeen) -> tuple[tuple[int, ...], float] | None:
    """An order of three channels in which class means of channels fit, where the order as it stands does not."""
    channel = data.places // int(np.prod(data.shape[1:]))
    if len(np.unique(channel)) < 3:
        return None
    means = lambda rows: np.stack([rows[:, channel == c].mean(1) for c in range(3)], 1)  # noqa: E731
    mine, theirs = means(data.fresh.values), means(data.held_out.values)

    def apart(order: tuple[int, ...]) -> float:
        return float(np.mean([_between(mine[a], theirs[b][:, list(order)]) for a, b in groups]))

    plain = apart((0, 1, 2))
    best, order = min((apart(o), o) for o in permutations(range(3)) if o != (0, 1, 2))
    return (order, plain) if plain > 0.3 and best < 0.15 * plain else None
