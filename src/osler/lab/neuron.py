"""The artificial neuron, a = g(w x + b), with the gradient of each of its parts; and the perceptron (rows FB07, FB08)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from osler.lab.numpy_mlp import ACTIVATIONS, Name

Inputs = Float[np.ndarray, " inputs"]


@dataclass(frozen=True, slots=True)
class Neuron:
    """One neuron at one input: the weighted sum z, the output a, and da by every part."""

    z: float
    a: float
    slope: float  # g'(z)
    d_weights: Inputs  # da/dw = g'(z) x
    d_bias: float  # da/db = g'(z)
    d_inputs: Inputs  # da/dx = g'(z) w

    def __str__(self) -> str:
        return (
            f"z = w x + b = {self.z:.4g}; a = g(z) = {self.a:.4g}; g'(z) = {self.slope:.4g}\n"
            f"da/dw = g'(z) x = {_row(self.d_weights)}; da/db = g'(z) = {self.d_bias:.4g}; da/dx = g'(z) w = {_row(self.d_inputs)}"
        )


def neuron(x: Inputs, weights: Inputs, bias: float, activation: Name | Literal["identity"] = "sigmoid") -> Neuron:
    """The neuron worked out."""
    z = float(weights @ x + bias)
    one = np.array([[z]])
    function, derivative = ACTIVATIONS[activation] if activation != "identity" else (lambda v: v, np.ones_like)
    a, slope = float(function(one)[0, 0]), float(derivative(one)[0, 0])
    return Neuron(z, a, slope, slope * x, slope, slope * weights)


def decides(x: Int[np.ndarray, "cases inputs"], weights: Inputs, bias: float) -> Int[np.ndarray, " cases"]:
    """A perceptron's answers: 1 where w x + b > 0 (Rosenblatt 1958)."""
    return (x @ weights + bias > 0).astype(int)


FESTIVAL = np.array([7.0, 3.0])  # how much the singer counts, and the company
CASES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])  # singer liked, company found


@dataclass(frozen=True, slots=True)
class Learnt:
    """A perceptron that was taught."""

    weights: Inputs
    bias: float
    epochs: int  # in which it made mistakes
    converged: bool


def perceptron_rule(
    x: Int[np.ndarray, "cases inputs"], wanted: Int[np.ndarray, " cases"], *, epochs: int = 1000
) -> Learnt:
    """w <- w + (wanted - answer) x, case by case, until an epoch is without mistake.

    It ends where the classes can be parted by a line (Novikoff 1962), and never else (Minsky and Papert 1969).
    """
    weights, bias = np.zeros(x.shape[1]), 0.0
    for epoch in range(epochs):
        mistakes = 0
        for case, right in zip(x, wanted, strict=True):
            error = int(right) - int(decides(case[None], weights, bias)[0])
            weights, bias, mistakes = weights + error * case, bias + error, mistakes + abs(error)
        if not mistakes:
            return Learnt(weights, bias, epoch, True)
    return Learnt(weights, bias, epochs, False)


def _row(values: Inputs) -> str:
    return "[" + ", ".join(f"{v:.4g}" for v in values) + "]"
