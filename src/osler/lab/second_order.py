"""Second-order methods (rows OP11, OP12): Newton, BFGS, DFP and L-BFGS, written out, beside gradient descent."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from osler.lab.line_search import strong_wolfe

Vector = Float[np.ndarray, " n"]
Matrix = Float[np.ndarray, "n n"]
Function = Callable[[Vector], float]
Gradient = Callable[[Vector], Vector]
Pair = tuple[Vector, Vector]  # a step s and the change of the gradient y over it


@dataclass(slots=True)
class Descent:
    """The course of a minimisation."""

    places: list[Vector]
    converged: bool = False
    secant_errors: list[float] = field(default_factory=list)  # |B s - y| / |y| after each update of the curvature

    @property
    def iterations(self) -> int:
        """Steps taken."""
        return len(self.places) - 1

    @property
    def end(self) -> Vector:
        """The last place."""
        return self.places[-1]


def rosenbrock(place: Vector) -> float:
    """sum 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2: a bent valley; 0 at (1, ..., 1) (Rosenbrock 1960)."""
    return float((100 * (place[1:] - place[:-1] ** 2) ** 2 + (1 - place[:-1]) ** 2).sum())


def rosenbrock_gradient(place: Vector) -> Vector:
    """The gradient of `rosenbrock`."""
    bend = place[1:] - place[:-1] ** 2
    slope = np.zeros_like(place)
    slope[:-1] = -400 * place[:-1] * bend - 2 * (1 - place[:-1])
    slope[1:] += 200 * bend
    return slope


def newton(
    gradient: Gradient, hessian: Callable[[Vector], Matrix], start: Vector, *, tolerance: float = 1e-8, steps: int = 100
) -> Descent:
    """w <- w - H^-1 g: exact for a quadratic, in one step; it goes wherever the gradient vanishes, be it a maximum."""
    descent = Descent([np.asarray(start, dtype=float)])
    for _ in range(steps):
        slope = gradient(descent.end)
        if np.abs(slope).max() < tolerance:
            break
        descent.places.append(descent.end - np.linalg.solve(hessian(descent.end), slope))
    descent.converged = bool(np.abs(gradient(descent.end)).max() < tolerance)
    return descent


def bfgs_update(inverse: Matrix, step: Vector, change: Vector) -> Matrix:
    """H <- (I - r s y') H (I - r y s') + r s s', r = 1 / y's: after it H y = s (Nocedal & Wright 2006, 6.17)."""
    rate = 1 / (change @ step)
    left = np.eye(len(step)) - rate * np.outer(step, change)
    return left @ inverse @ left.T + rate * np.outer(step, step)


def dfp_update(inverse: Matrix, step: Vector, change: Vector) -> Matrix:
    """H <- H - H y y' H / y'H y + s s' / y's: after it H y = s (Davidon 1959; Nocedal & Wright 2006, equation 6.15)."""
    turned = inverse @ change
    return inverse - np.outer(turned, turned) / (change @ turned) + np.outer(step, step) / (change @ step)


def lbfgs_direction(slope: Vector, pairs: Sequence[Pair], *, first: float = 1.0) -> Vector:
    """-H g for the BFGS matrix that begins as `first` times the identity and takes in `pairs`, oldest first.

    H is never written out.

    The two-loop recursion (Nocedal & Wright 2006, algorithm 7.4): 4 m n multiplications and 2 m n numbers for m pairs.
    """
    direction, shares = slope.copy(), []
    for step, change in reversed(pairs):
        share = step @ direction / (change @ step)
        direction -= share * change
        shares.append(share)
    direction *= first
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        direction += step * (share - change @ direction / (change @ step))
    return -direction


Method = Literal["gradient descent", "dfp", "bfgs", "l-bfgs"]


def minimise(
    function: Function,
    gradient: Gradient,
    start: Vector,
    *,
    method: Method,
    history: int = 10,
    tolerance: float = 1e-5,
    steps: int = 1000,
) -> Descent:
    """Line searches along the directions of a method until no component of the gradient exceeds `tolerance`.

    Args:
        function: what to minimise.
        gradient: its gradient.
        start: where to begin.
        method: how a direction comes from gradients: steepest, or by a matrix of curvature built from them.
        history: pairs that l-bfgs remembers.
        tolerance: largest component of the gradient at the end.
        steps: most steps.
    """
    descent = Descent([np.asarray(start, dtype=float)])
    inverse, pairs = np.eye(len(start)), list[Pair]()
    slope = gradient(descent.end)
    for _ in range(steps):
        if np.abs(slope).max() < tolerance:
            descent.converged = True
            break
        direction = lbfgs_direction(slope, pairs, first=_scale(pairs)) if method == "l-bfgs" else -inverse @ slope
        length = strong_wolfe(function, gradient, descent.end, direction, slope)
        step = length * direction
        descent.places.append(descent.end + step)
        old, slope = slope, gradient(descent.end)
        change = slope - old
        if method == "l-bfgs":
            pairs = [*pairs, (step, change)][-history:]
        elif method != "gradient descent":
            inverse = (bfgs_update if method == "bfgs" else dfp_update)(inverse, step, change)
            curvature = np.linalg.inv(inverse)
            descent.secant_errors.append(float(np.linalg.norm(curvature @ step - change) / np.linalg.norm(change)))
    return descent


def _scale(pairs: Sequence[Pair]) -> float:
    """The curvature along the last step, as the first guess of all (Nocedal & Wright 2006, equation 7.20)."""
    if not pairs:
        return 1.0
    step, change = pairs[-1]
    return float(step @ change / (change @ change))


@dataclass(frozen=True, slots=True)
class NewtonCost:
    """What Newton's method needs for n weights."""

    weights: int
    hessian_bytes: int
    seconds: float  # of solving for one step
    multiply_adds: int  # of that solve: n^3 / 3


def newton_costs(sizes: Sequence[int] = (250, 500, 1000, 2000)) -> tuple[NewtonCost, ...]:
    """Memory and time of one Newton step by the number of weights; a network has millions of them."""
    rows = []
    for n in sizes:
        half = np.random.default_rng(0).normal(size=(n, n))
        hessian = half @ half.T / n + np.eye(n)
        started = time.perf_counter()
        np.linalg.solve(hessian, np.ones(n))
        rows.append(NewtonCost(n, hessian.nbytes, time.perf_counter() - started, n**3 // 3))
    return tuple(rows)
