"""Small real and synthetic sets for the experiments: seconds, not hours, and nothing to download."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Split:
    """A training part and a held-out part of one set."""

    x: Float[Tensor, "train *features"]
    y: Tensor
    x_test: Float[Tensor, "test *features"]
    y_test: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def first(self, count: int) -> "Split":
        """Only the first `count` training samples; the held-out part stays."""
        return replace(self, x=self.x[:count], y=self.y[:count])


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    return (pictures / 8 - 1).astype(np.float32), labels.astype(np.int64)


def digits(train: int = 1200, *, test: int = 400, seed: int = 0, classes: tuple[int, ...] = tuple(range(10))) -> Split:
    """scikit-learn's 8x8 handwritten digits as rows of 64 values in [-1, 1], split with equal shares of classes.

    With `classes`, only these, numbered from 0 in the order given. Any `first(n)` of the result is a random subset.
    """
    from sklearn.model_selection import train_test_split

    x, y = _digits()
    numbers = np.full(10, -1)
    numbers[list(classes)] = np.arange(len(classes))
    kept = np.flatnonzero(numbers[y] >= 0)
    x, y = x[kept], numbers[y[kept]]
    rest = len(x) - train - test
    if rest < 0:
        raise ValueError(f"The digits of these classes are {len(x)} pictures; {train} + {test} were asked for.")
    some, others = train_test_split(np.arange(len(x)), train_size=train, stratify=y, random_state=seed)
    held = others if rest == 0 else train_test_split(others, train_size=test, stratify=y[others], random_state=seed)[0]
    return _split(x, y, some, held)


def breast_cancer(*, test: int = 0, seed: int = 0) -> Split:
    """scikit-learn's breast-cancer table: 569 patients, 30 standardised measurements; 0: malignant, 1: benign."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    some, held = order[test:], order[:test]
    x = (x - x[some].mean(0)) / x[some].std(0)
    return _split(x, y, some, held)


def sine(train: int = 30, *, test: int = 200, noise: float = 0.1, periods: float = 1.0, seed: int = 0) -> Split:
    """One column in [-1, 1] and the sine of it (so many periods), with noise on the training part only."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (train, 1))
    grid = np.linspace(-1, 1, test)[:, None]
    y, truth = (np.sin(np.pi * periods * v) for v in (x, grid))
    y = y + noise * rng.standard_normal((train, 1))
    return Split(*(torch.from_numpy(v) for v in (x, y, grid, truth)))


def _split(x: np.ndarray, y: np.ndarray, some: Int[np.ndarray, " n"], held: Int[np.ndarray, " m"]) -> Split:
    return Split(*(torch.from_numpy(np.ascontiguousarray(v)) for v in (x[some], y[some], x[held], y[held])))
