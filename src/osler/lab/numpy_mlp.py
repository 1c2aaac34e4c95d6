"""Backpropagation by hand through a fully connected network, in NumPy alone: every delta and every dW (row FB01).

The four equations (Rumelhart, Hinton, Williams 1986; in this notation Nielsen 2015, chapter 2), for layers l = 1 .. L with
z_l = a_(l-1) W_l^T + b_l and a_l = g(z_l), over a batch of rows:

    delta_L = (p - y) / n                       of softmax with cross-entropy
    delta_l = (delta_(l+1) W_(l+1)) * g'(z_l)
    dW_l    = delta_l^T a_(l-1)
    db_l    = sum over the rows of delta_l
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

Matrix = Float[np.ndarray, "rows columns"]
Vector = Float[np.ndarray, " units"]
Labels = Int[np.ndarray, " rows"]
Name = Literal["sigmoid", "tanh", "relu"]


def _sigmoid(z: Matrix) -> Matrix:
    """By the exponential of a negative number, which does not overflow."""
    decayed = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + decayed), decayed / (1 + decayed))


ACTIVATIONS: dict[Name, tuple[Callable[[Matrix], Matrix], Callable[[Matrix], Matrix]]] = {  # function and slope
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * (1 - _sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
}


@dataclass(frozen=True, slots=True)
class Pass:
    """One forward and one backward pass. Layers are counted from 1; index 0 of a tuple is layer 1."""

    loss: float  # mean cross-entropy
    inputs: tuple[Matrix, ...]  # a_0 .. a_(L-1): what each layer was given
    sums: tuple[Matrix, ...]  # z_1 .. z_L
    deltas: tuple[Matrix, ...]  # dL/dz_l
    d_weights: tuple[Matrix, ...]
    d_biases: tuple[Vector, ...]

    def __str__(self) -> str:
        lines = [f"loss = {self.loss:.6g}"]
        for layer in range(len(self.deltas), 0, -1):
            for name, values in (("delta", self.deltas), ("dW", self.d_weights), ("db", self.d_biases)):
                lines += [f"{name}_{layer} =", np.array2string(values[layer - 1], precision=6, threshold=2**31)]
        return "\n".join(lines)


class NumpyMLP:
    """Layers of these sizes with one activation between them, softmax and cross-entropy at the end; double precision."""

    def __init__(self, sizes: Sequence[int], activation: Name = "sigmoid", *, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.weights = [random.standard_normal((n, m)) / np.sqrt(m) for m, n in pairwise(sizes)]
        self.biases = [0.1 * random.standard_normal(n) for n in sizes[1:]]
        self.activation, self.slope = ACTIVATIONS[activation]

    def forward(self, x: Matrix, y: Labels) -> tuple[float, list[Matrix], list[Matrix]]:
        """Loss, what each layer is given, and its weighted sums."""
        inputs, sums = [x], []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            sums.append(inputs[-1] @ weight.T + bias)
            inputs.append(self.activation(sums[-1]))
        return float(-np.log(softmax(sums[-1])[np.arange(len(y)), y]).mean()), inputs[:-1], sums

    def backward(self, x: Matrix, y: Labels) -> Pass:
        """Every delta, from the last layer to the first, and with it the gradients of weights and biases."""
        loss, inputs, sums = self.forward(x, y)
        delta = (softmax(sums[-1]) - np.eye(sums[-1].shape[1])[y]) / len(y)
        deltas = [delta]
        for weight, z in zip(self.weights[:0:-1], sums[-2::-1], strict=True):
            delta = (delta @ weight) * self.slope(z)
            deltas.insert(0, delta)
        d_weights = tuple(d.T @ a for d, a in zip(deltas, inputs, strict=True))
        d_biases = tuple(d.sum(0) for d in deltas)
        return Pass(loss, tuple(inputs), tuple(sums), tuple(deltas), d_weights, d_biases)

    def measured(self, x: Matrix, y: Labels, *, step: float = 1e-5) -> tuple[list[Matrix], list[Vector]]:
        """The gradients of weights and biases by central differences, number by number."""
        found = []
        for parameters in (self.weights, self.biases):
            slopes = []
            for values in parameters:
                slope = np.empty_like(values)
                for place in np.ndindex(values.shape):
                    start, ends = values[place], []
                    for moved in (start + step, start - step):
                        values[place] = moved
                        ends.append(self.forward(x, y)[0])
                    values[place] = start
                    slope[place] = (ends[0] - ends[1]) / (2 * step)
                slopes.append(slope)
            found.append(slopes)
        return found[0], found[1]


def softmax(z: Matrix) -> Matrix:
    """Of each row."""
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
