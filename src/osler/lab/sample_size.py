"""More samples: learning curves of a network, and of a network against classical estimators."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from osler.lab.plain_training import accuracy_of, fit, mlp
from osler.lab.small_sets import Split, digits


@dataclass(frozen=True, slots=True)
class AtSize:
    """Accuracies with so many training samples, means over seeds."""

    samples: int
    train: float
    test: float

    @property
    def gap(self) -> float:
        """Training minus test accuracy."""
        return self.train - self.test


def network_learning_curve(
    sizes: Sequence[int] = (50, 100, 200, 400, 800, 1500), *, updates: int = 600, seeds: Sequence[int] = (0, 1, 2)
) -> list[AtSize]:
    """One network on ever more digits, always with the same number of updates and the same held-out digits."""
    rows = {n: [(0.0, 0.0)] * 0 for n in sizes}
    for seed in seeds:
        data = digits(max(sizes), test=297, seed=seed)
        for n in sizes:
            part = data.first(n)
            model = _network(part, updates, seed)
            rows[n].append((accuracy_of(model, part.x, part.y), accuracy_of(model, part.x_test, part.y_test)))
    return [AtSize(n, float(np.mean([a for a, _ in r])), float(np.mean([b for _, b in r]))) for n, r in rows.items()]


def _network(data: Split, updates: int, seed: int):  # type: ignore[no-untyped-def]
    batch = min(50, len(data))
    return fit(mlp(64, 64, 10, seed=seed), data.x, data.y, batch=batch, epochs=-(-updates * batch // len(data)), seed=seed)
