"""Batch norm makes a deep network forgive its initialisation (Ioffe and Szegedy 2015, section 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from osler.lab.plain_training import accuracy_of, fit, mlp, seeded, sgd
from osler.lab.small_sets import digits
from osler.nn.initialisation import initialise

STARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "normal, std 1": ("normal", {"std": 1.0}),
    "normal, std 0.01": ("normal", {"std": 0.01}),
    "uniform, 0.5": ("uniform", {"low": -0.5, "high": 0.5}),
    "Xavier": ("xavier_normal", {}),
    "He": ("he_normal", {}),
    "orthogonal": ("orthogonal", {}),
}


@dataclass(frozen=True, slots=True)
class Forgiving:
    """Accuracy on held-out digits of each start, the mean over seeds, with or without batch norm."""

    batch_norm: bool
    accuracies: dict[str, float]

    @property
    def spread(self) -> float:
        """Best less worst start."""
        return max(self.accuracies.values()) - min(self.accuracies.values())


def accuracy_by_start(
    *, batch_norm: bool, depth: int = 8, width: int = 64, epochs: int = 8, seeds: Sequence[int] = (0, 1)
) -> Forgiving:
    """The same deep ReLU network by the same optimiser from each start; every layer but the head is followed by batch
    norm, or none is.
    """
    found: dict[str, list[float]] = {label: [] for label in STARTS}
    for seed in seeds:
        data = digits(1000, seed=seed)
        for label, (name, options) in STARTS.items():
            model = mlp(64, *[width] * depth, 10, batch_norm=batch_norm, seed=seed)
            with seeded(seed):
                initialise(model, name, options=options)
            fit(model, data.x, data.y, epochs=epochs, batch=50, optimizer=sgd(0.05, momentum=0.9), seed=seed)
            found[label].append(accuracy_of(model, data.x_test, data.y_test))
    return Forgiving(batch_norm, {label: mean(values) for label, values in found.items()})
