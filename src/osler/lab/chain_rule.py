"""The chain rule, (f o g)'(x) = g'(x) f'(g(x)): two examples, and its proof step by step in numbers (row FB02).

The proof (Spivak 2008, "Calculus", chapter 10): with y = g(x) write

    g(x + delta) = g(x) + (g'(x) + eps(delta)) delta,     eps(delta) -> 0 as delta -> 0
    f(y + alpha) = f(y) + (f'(y) + eta(alpha)) alpha,     eta(alpha) -> 0 as alpha -> 0, and eta(0) = 0

With alpha = g(x + delta) - g(x), that is (g'(x) + eps) delta, the quotient of f o g is (f'(y) + eta(alpha)) (g'(x) + eps(delta)).
eta(0) = 0 is needed because alpha may be 0 although delta is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Numbers = Float[Tensor, " n"]
Function = Callable[[Numbers], Numbers]


@dataclass(frozen=True, slots=True)
class Composition:
    """f o g with the derivatives of its parts, by hand."""

    name: str
    g: Function
    g_slope: Function
    f: Function
    f_slope: Function
    derivative: Function  # of the whole, as it is printed

    def __call__(self, x: Numbers) -> Numbers:
        """f(g(x))."""
        return self.f(self.g(x))

    def by_chain_rule(self, x: Numbers) -> Numbers:
        """g'(x) f'(g(x))."""
        return self.g_slope(x) * self.f_slope(self.g(x))


CUBE = Composition(
    "(x^2 + 1)^3", lambda x: x**2 + 1, lambda x: 2 * x, lambda y: y**3, lambda y: 3 * y**2,
    lambda x: 6 * x * (x**2 + 1) ** 2,
)  # fmt: skip
ANGLE = Composition(
    "arctan(sin x)", torch.sin, torch.cos, torch.atan, lambda y: 1 / (1 + y**2),
    lambda x: torch.cos(x) / (1 + torch.sin(x) ** 2),
)  # fmt: skip
FLAT = Composition(  # g does not move: alpha is 0 for every delta
    "(3)^2, x left out", lambda x: 0 * x + 3, lambda x: 0 * x, lambda y: y**2, lambda y: 2 * y, lambda x: 0 * x
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProofStep:
    """The quantities of the proof at one delta."""

    delta: float
    eps: float
    alpha: float
    eta: float
    quotient: float  # (f(g(x + delta)) - f(g(x))) / delta
    product: float  # (f'(g(x)) + eta)(g'(x) + eps), which the proof says the quotient is
    limit: float  # g'(x) f'(g(x))


def proof(
    composition: Composition, x: float, deltas: Sequence[float] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
) -> list[ProofStep]:
    """eps, alpha, eta and the quotient for smaller and smaller delta."""
    at = torch.tensor([x], dtype=torch.float64)
    y, g_slope = composition.g(at), float(composition.g_slope(at))
    f_slope = float(composition.f_slope(y))
    steps = []
    for delta in deltas:
        moved = composition.g(at + delta)
        alpha = float(moved - y)
        rise = float(composition.f(moved) - composition.f(y))
        eta = rise / alpha - f_slope if alpha else 0.0
        eps = alpha / delta - g_slope
        product = (f_slope + eta) * (g_slope + eps)
        steps.append(ProofStep(delta, eps, alpha, eta, rise / delta, product, g_slope * f_slope))
    return steps
