"""One neuron a layer: the gradient as a product of factors sigma'(z) w, none of which may exceed |w| / 4 (row FB06).

dC/db_1 = sigma'(z_1) w_2 sigma'(z_2) w_3 sigma'(z_3) ... w_k sigma'(z_k) dC/da_k (Nielsen 2015, "Neural networks and deep
learning", chapter 5). sigma' is at most 1/4, at z = 0, so that k - 1 factors with |w| < 1 leave less than 0.25^(k-1); a
factor can exceed 1 only where |w| > 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

STEEPEST = 0.25  # of the sigmoid


@dataclass(frozen=True, slots=True)
class Chain:
    """One pass through neurons in a row; lists from the first neuron on."""

    slopes: tuple[float, ...]  # sigma'(z)
    weights: tuple[float, ...]  # w_2 ... w_k: what leads from each neuron to the next
    last_slope: float  # dC/da_k
    gradient: float  # dC/db_1, by the product

    @property
    def factors(self) -> tuple[float, ...]:
        """w_(l+1) sigma'(z_(l+1)), by which the gradient is multiplied from neuron to neuron."""
        return tuple(w * s for w, s in zip(self.weights, self.slopes[1:], strict=True))

    @property
    def bound(self) -> float:
        """Of |dC/db_1| for weights within -1 and 1: 0.25^k times |dC/da_k|."""
        return STEEPEST ** len(self.slopes) * abs(self.last_slope)

    def __str__(self) -> str:
        terms = [f"{self.slopes[0]:.4g}"] + [
            f"{w:.4g} * {s:.4g}" for w, s in zip(self.weights, self.slopes[1:], strict=True)
        ]
        inside = "" if all(abs(w) <= 1 for w in self.weights) else " (does not hold: a weight exceeds 1)"
        return (
            f"dC/db_1 = {' * '.join(terms)} * {self.last_slope:.4g} = {self.gradient:.4g}; "
            f"bound 0.25^{len(self.slopes)} |dC/da| = {self.bound:.4g}{inside}"
        )


def chain(x: float, weights: Sequence[float], biases: Sequence[float], target: float) -> Chain:
    """x through neurons a_l = sigma(w_l a_(l-1) + b_l), and C = (a_k - target)^2 / 2."""
    a, slopes = x, []
    for weight, bias in zip(weights, biases, strict=True):
        a = 1 / (1 + np.exp(-(weight * a + bias)))
        slopes.append(float(a * (1 - a)))
    last = float(a) - target
    gradient = slopes[0] * prod(w * s for w, s in zip(weights[1:], slopes[1:], strict=True)) * last
    return Chain(tuple(slopes), tuple(weights[1:]), last, gradient)


def centred_chain(weight: float, neurons: int, *, target: float = 0.0) -> Chain:
    """All weights alike, biases that hold every z at 0, where the sigmoid is steepest: each factor is weight / 4."""
    return chain(0.5, [weight] * neurons, [-weight / 2] * neurons, target)
