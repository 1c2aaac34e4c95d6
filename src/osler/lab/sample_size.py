"""More samples: learning curves of a network, and of a network against classical estimators."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
from torch import nn

from osler.lab.plain_training import accuracy_of, fit, mlp, seeded
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
    sizes: Sequence[int] = (50, 100, 200, 400, 800, 1500), *, updates: int = 300, seeds: Sequence[int] = (0, 1, 2)
) -> list[AtSize]:
    """One network on ever more digits, always with about the same number of updates and the same held-out digits."""
    rows: dict[int, list[tuple[float, float]]] = {n: [] for n in sizes}
    for seed in seeds:
        data = digits(max(sizes), test=297, seed=seed)
        for n in sizes:
            part = data.first(n)
            model = _fitted(mlp(64, 64, 10, seed=seed), part, updates, seed)
            rows[n].append((accuracy_of(model, part.x, part.y), accuracy_of(model, part.x_test, part.y_test)))
    return [AtSize(n, mean(a for a, _ in r), mean(b for _, b in r)) for n, r in rows.items()]


def _fitted(model: nn.Module, data: Split, updates: int, seed: int) -> nn.Module:
    batch = min(50, len(data))
    return fit(model, data.x, data.y, batch=batch, epochs=-(-updates * batch // len(data)), seed=seed)


@dataclass(frozen=True, slots=True)
class Contest:
    """Test accuracies of each way with so many training samples, means over seeds."""

    samples: int
    accuracies: dict[str, float]
    classes_seen: float  # how many of the ten classes the training samples hold: their coverage

    def lead(self, way: str = "network") -> float:
        """By how much one way is ahead of the best of the others (negative: behind)."""
        return self.accuracies[way] - max(v for k, v in self.accuracies.items() if k != way)


def network_against_classical(
    sizes: Sequence[int] = (20, 50, 200, 1000), *, updates: int = 400, seeds: Sequence[int] = (0, 1)
) -> list[Contest]:
    """A small convolutional network against support vectors, nearest neighbour, a forest and logistic regression on
    digits.

    All see the same pixels; the classical ones have scikit-learn's defaults. Samples are drawn without regard to
    class, so that small sets may miss one.
    """
    contests = []
    for n in sizes:
        scores: dict[str, list[float]] = {}
        seen = []
        for seed in seeds:
            data = digits(max(*sizes, 1000), seed=seed).first(n)
            seen.append(len(data.y.unique()))
            network = _fitted(small_convnet(seed=seed), data, updates, seed)
            scores.setdefault("network", []).append(accuracy_of(network, data.x_test, data.y_test))
            for name, score in _classical(data, seed).items():
                scores.setdefault(name, []).append(score)
        contests.append(Contest(n, {k: mean(v) for k, v in scores.items()}, mean(seen)))
    return contests


def small_convnet(classes: int = 10, *, seed: int = 0) -> nn.Sequential:
    """Two convolutions for 8x8 pictures that come as rows of 64 values."""
    with seeded(seed):
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128, classes),
        )


def _classical(data: Split, seed: int) -> dict[str, float]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    ways = {
        "support vectors": SVC(),
        "nearest neighbour": KNeighborsClassifier(1),
        "forest": RandomForestClassifier(random_state=seed),
        "logistic regression": LogisticRegression(max_iter=2000),
    }
    x, y, x_test, y_test = (np.asarray(v) for v in (data.x, data.y, data.x_test, data.y_test))
    return {name: float(way.fit(x, y).score(x_test, y_test)) for name, way in ways.items()}


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A network that never saw one class."""

    missing: int
    recall_of_missing: float
    recall_of_others: float


def uncovered_class(missing: int = 9, *, samples: int = 800, updates: int = 300, seed: int = 0) -> Uncovered:
    """However many samples there are, what they do not cover is not learnt."""
    data = digits(1200, seed=seed)
    seen = data.y != missing
    part = Split(data.x[seen][:samples], data.y[seen][:samples], data.x_test, data.y_test)
    model = _fitted(mlp(64, 64, 10, seed=seed), part, updates, seed)
    left_out = data.y_test == missing
    return Uncovered(
        missing,
        accuracy_of(model, data.x_test[left_out], data.y_test[left_out]),
        accuracy_of(model, data.x_test[~left_out], data.y_test[~left_out]),
    )
