"""What gradient-boosted trees minimise (row LO09): the loss L plus the penalty Omega of all trees, round by round.

Chen and Guestrin 2016, "XGBoost", section 2, whose equations are numbered here. With gradients g and curvatures h of the
loss at the predictions so far, G and H their sums over a leaf's rows, T leaves of weights w:

    objective   sum of l(y, prediction) + sum over trees of Omega,  Omega = gamma T + lambda |w|^2 / 2     (2)
    a tree      sum of g f + h f^2 / 2, plus its Omega: the loss to the second order                       (3)
    its leaves  w* = -G / (H + lambda)                                                                     (5)
    its score   -1/2 sum of G^2 / (H + lambda) + gamma T                                                   (6)
    a split     1/2 [G_l^2 / (H_l + lambda) + G_r^2 / (H_r + lambda) - G^2 / (H + lambda)] - gamma         (7)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Values = Float[np.ndarray, " rows"]
Table = Float[np.ndarray, "rows features"]


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of targets and raw predictions, and its first two derivatives by the prediction, row by row."""

    value: Callable[[Values, Values], Values]
    gradient: Callable[[Values, Values], Values]
    curvature: Callable[[Values, Values], Values]


def _probability(raw: Values) -> Values:
    return np.exp(-np.logaddexp(0.0, -raw))


SQUARED = Loss(lambda y, f: (f - y) ** 2 / 2, lambda y, f: f - y, lambda y, f: np.ones_like(f))
LOGISTIC = Loss(
    lambda y, f: np.logaddexp(0.0, f) - y * f,
    lambda y, f: _probability(f) - y,
    lambda y, f: _probability(f) * (1 - _probability(f)),
)


@dataclass(frozen=True, slots=True)
class Penalty:
    """gamma for each leaf, and half of lambda for each squared weight."""

    gamma: float = 0.0
    lambda_: float = 1.0

    def of(self, weights: Float[np.ndarray, " leaves"]) -> float:
        """Omega of a tree."""
        return self.gamma * len(weights) + self.lambda_ * float(np.square(weights).sum()) / 2

    def gain(self, g: float | Values, h: float | Values) -> float | Values:
        """What a leaf takes off the objective, gamma apart: half of G^2 / (H + lambda)."""
        return g**2 / (h + self.lambda_) / 2


@dataclass(frozen=True, slots=True)
class Tree:
    """The leaf of each training row, the leaves' weights, and the tree's score (6)."""

    leaf: Int[np.ndarray, " rows"]
    weights: Float[np.ndarray, " leaves"]
    score: float


@dataclass(frozen=True, slots=True)
class Round:
    """The objective after a round."""

    number: int  # 0: before the first tree
    loss: float  # L, a sum over the rows
    omega: float  # of all trees so far
    leaves: int  # of this round's tree
    expected: float  # by how much the second-order objective says that this round lowers it

    @property
    def objective(self) -> float:
        """L + Omega (2)."""
        return self.loss + self.omega


@dataclass(frozen=True, slots=True)
class Boosting:
    """The rounds, and the predictions after the last; printed, it is a table of L, Omega and their sum."""

    rounds: tuple[Round, ...]
    predictions: Values

    def __str__(self) -> str:
        rows = [f"{'round':>5} {'leaves':>6} {'L':>14} {'Omega':>12} {'L + Omega':>14}"]
        for r in self.rounds:
            rows.append(f"{r.number:>5} {r.leaves:>6} {r.loss:>14.4f} {r.omega:>12.4f} {r.objective:>14.4f}")
        return "\n".join(rows)


def boost(
    x: Table, y: Values, *, loss: Loss = SQUARED, penalty: Penalty | None = None, rounds: int = 10, depth: int = 3
) -> Boosting:
    """Adds a tree a round to a constant, full steps (no shrinkage), exact greedy splits.

    It ends early with the first tree whose score (6) is not below 0: gamma then says that no tree pays for its leaves.
    """
    penalty = penalty or Penalty()
    start = float(y.mean()) if loss is SQUARED else 0.0
    raw, omega = np.full(len(y), start), 0.0
    done = [Round(0, float(loss.value(y, raw).sum()), 0.0, 0, 0.0)]
    order = np.argsort(x, axis=0, kind="stable")
    for number in range(1, rounds + 1):
        tree = grow(x, order, loss.gradient(y, raw), loss.curvature(y, raw), penalty=penalty, depth=depth)
        if tree.score >= 0:
            break
        raw = raw + tree.weights[tree.leaf]
        omega += penalty.of(tree.weights)
        done.append(Round(number, float(loss.value(y, raw).sum()), omega, len(tree.weights), -tree.score))
    return Boosting(tuple(done), raw)


def grow(
    x: Table, order: Int[np.ndarray, "rows features"], g: Values, h: Values, *, penalty: Penalty, depth: int
) -> Tree:
    """One tree: every leaf is split where (7) is largest, while that is above 0, down to `depth` splits.

    `order` sorts each column of `x`; a threshold lies between two different values.
    """
    leaf, ended = np.zeros(len(g), dtype=np.int64), set[int]()
    for _ in range(depth):
        for number in range(int(leaf.max()) + 1):
            if number in ended:
                continue
            split = best_split(x, order, g, h, leaf == number, penalty=penalty)
            if split is None:
                ended.add(number)
            else:
                feature, threshold = split
                leaf[(leaf == number) & (x[:, feature] > threshold)] = leaf.max() + 1
    sums = np.bincount(leaf, g), np.bincount(leaf, h)
    weights = -sums[0] / (sums[1] + penalty.lambda_)
    score = penalty.gamma * len(weights) - float(np.sum(penalty.gain(*sums)))
    return Tree(leaf, weights, score)


def best_split(
    x: Table, order: Int[np.ndarray, "rows features"], g: Values, h: Values, within: np.ndarray, *, penalty: Penalty
) -> tuple[int, float] | None:
    """Feature and threshold of the largest gain (7) among the rows `within`; None where none is above 0."""
    best, found = 0.0, None
    whole = penalty.gain(float(g[within].sum()), float(h[within].sum()))
    for feature in range(x.shape[1]):
        rows = order[:, feature][within[order[:, feature]]]
        values = x[rows, feature]
        left = np.cumsum(g[rows])[:-1], np.cumsum(h[rows])[:-1]
        right = g[rows].sum() - left[0], h[rows].sum() - left[1]
        gains = penalty.gain(*left) + penalty.gain(*right) - whole - penalty.gamma
        gains = np.where(values[1:] > values[:-1], gains, -np.inf)
        if len(gains) and gains.max() > best + 1e-12:
            place = int(np.argmax(gains))
            best, found = float(gains[place]), (feature, float(values[place] + values[place + 1]) / 2)
    return found


def diabetes_rounds(*, rounds: int = 15, penalty: Penalty | None = None) -> Boosting:
    """Squared error on 442 real patients (Efron et al. 2004), targets standardised."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return boost(x, (y - y.mean()) / y.std(), penalty=penalty, rounds=rounds)


def tumour_rounds(*, rounds: int = 15, penalty: Penalty | None = None) -> Boosting:
    """Logistic loss on 569 real tumours (Street et al. 1993), benign or malignant."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return boost(x, y.astype(np.float64), loss=LOGISTIC, penalty=penalty, rounds=rounds)
