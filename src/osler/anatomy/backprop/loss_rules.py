"""Losses: the last step forward, and the first gradient."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.anatomy.backprop.numbers import at, factor, largest, number, sums
from osler.anatomy.backprop.rule import Values
from osler.anatomy.backprop.softmax_rule import softmax
from osler.anatomy.backprop.statement import Figure, Statement, axes_of
from osler.structures.errors import DataError

LossName = Literal["cross_entropy", "mse", "binary_cross_entropy"]


class LossRule(ABC):
    """A loss of raw outputs z and targets, as the mean over the batch (or over all numbers)."""

    name: str

    @abstractmethod
    def forward(self, z: Values) -> float:
        """The loss."""

    @abstractmethod
    def backward(self) -> Values:
        """Its gradient at z."""

    @abstractmethod
    def torch_loss(self, z: Values) -> Float[Tensor, ""]:
        """The same by PyTorch, for the comparison."""

    @abstractmethod
    def say_forward(self, z: str) -> list[Statement]:
        """In words and numbers, for outputs written `z`."""

    @abstractmethod
    def say_backward(self, z: str, dz: str) -> list[Statement]:
        """The first gradient, written `dz`."""


class CrossEntropyRule(LossRule):
    """Softmax and cross-entropy: L = -(1/N) sum of log p of the right classes."""

    name = "softmax and cross-entropy"

    def __init__(self, target: Int[Tensor, " batch"]) -> None:
        self.target = target

    def forward(self, z: Values) -> float:
        """By way of the largest output, so that no exponential overflows."""
        count = z.shape[1] if z.ndim == 2 else 0
        if z.ndim != 2 or self.target.shape != z.shape[:1] or not ((self.target >= 0) & (self.target < count)).all():
            raise DataError(
                f"Cross-entropy needs outputs of batch x classes and a class from 0 for each sample; given: outputs "
                f"{tuple(z.shape)} and targets {self.target.tolist()}."
            )
        self.z, self.p = z, softmax(z)
        self.rows = torch.arange(len(z))
        top = z.amax(1)
        logs = z[self.rows, self.target] - top - (z - top[:, None]).exp().sum(1).log()
        self.each = -logs
        self.value = float(self.each.mean())
        return self.value

    def backward(self) -> Values:
        """(p - one) / N, and the same by the Jacobian of softmax, whose agreement is shown."""
        count = len(self.z)
        self.one = torch.zeros_like(self.z)
        self.one[self.rows, self.target] = 1
        self.dz = (self.p - self.one) / count
        self.dp = -self.one / (count * self.p)
        self.gap = float((self.p * (self.dp - (self.dp * self.p).sum(1, keepdim=True)) - self.dz).abs().max())
        return self.dz

    def torch_loss(self, z: Values) -> Float[Tensor, ""]:
        """`torch.nn.functional.cross_entropy`."""
        return torch.nn.functional.cross_entropy(z, self.target)

    def say_forward(self, z: str) -> list[Statement]:
        """Probabilities, then the loss."""
        place = largest(self.p)
        n = place[0]
        below = " + ".join(rf"\exp({number(v)})" for v in self.z[n].tolist())
        terms = " + ".join(factor(v) for v in self.each.tolist())
        right = ", ".join(f"{t}" for t in self.target.tolist())
        return [
            Statement(
                "Softmax turns raw outputs into probabilities.",
                rf"p_{{n,j}} = \frac{{\exp({z}_{{n,j}})}}{{\sum_{{k}} \exp({z}_{{n,k}})}}",
                rf"p_{{{at(place)}}} = \frac{{\exp({number(self.z[place])})}}{{{below}}} = {number(self.p[place])}",
                (Figure("p", self.p, ("sample", "class")),),
            ),
            Statement(
                "Cross-entropy: minus the logarithm of the probability of the right class, the mean over the samples. "
                f"Right: {right}.",
                r"L = \frac{1}{N} \sum_{n} \ell_n, \quad \ell_n = -\log p_{n,t_n}",
                rf"L = \frac{{1}}{{{len(self.each)}}} ({terms}) = {number(self.value)}",
                (Figure(r"\ell", self.each, ("sample",)),),
            ),
        ]

    def say_backward(self, z: str, dz: str) -> list[Statement]:
        """Loss, softmax, and both together."""
        n = int(self.dp.abs().amax(1).argmax())
        t, count = int(self.target[n]), len(self.z)
        place = largest(self.dz)
        slope = rf"\frac{{\partial p_{{n,k}}}}{{\partial {z}_{{n,j}}}}"
        return [
            Statement(
                "Only the right class's probability stands in the loss.",
                r"\frac{\partial L}{\partial p_{n,j}} = \begin{cases} -\frac{1}{N p_{n,j}} & \text{if } j = t_n \\ "
                r"0 & \text{otherwise} \end{cases}",
                rf"\frac{{\partial L}}{{\partial p_{{{n},{t}}}}} = -\frac{{1}}{{{count} \cdot {number(self.p[n, t])}}} "
                rf"= {number(self.dp[n, t])}",
                (Figure(r"\frac{\partial L}{\partial p}", self.dp, ("sample", "class")),),
            ),
            Statement(
                "Through softmax every probability moves with every output; the product is simply what the network said less "
                f"what it should have said. (The two ways differ by at most {self.gap:.1e}.)",
                rf"{slope} = p_{{n,k}} (1_{{j=k}} - p_{{n,j}}) \quad \text{{so that}} \quad {dz}_{{n,j}} = \sum_{{k}} "
                rf"\frac{{\partial L}}{{\partial p_{{n,k}}}} {slope} = \frac{{p_{{n,j}} - 1_{{j=t_n}}}}{{N}}",
                rf"{dz}_{{{at(place)}}} = \frac{{{number(self.p[place])} - {number(self.one[place])}}}{{{count}}} "
                rf"= {number(self.dz[place])}",
                (Figure(dz, self.dz, ("sample", "class")),),
            ),
        ]


class _Elementwise(LossRule):
    """The mean of a function of each output and its target."""

    says = formula = derivative = ""

    def __init__(self, target: Values) -> None:
        self.target = target

    def forward(self, z: Values) -> float:
        """The mean over all numbers."""
        if z.shape != self.target.shape:
            raise DataError(
                f"This loss needs a target for each output; given: outputs {tuple(z.shape)} and targets {tuple(self.target.shape)}."
            )
        self.z, self.each = z, self._each(z)
        self.value = float(self.each.mean())
        return self.value

    def backward(self) -> Values:
        """The mean's share of each."""
        self.dz = self._slope(self.z) / self.z.numel()
        return self.dz

    def say_forward(self, z: str) -> list[Statement]:
        """The mean."""
        axes = axes_of(self.z.ndim)
        worked = sums(self.each.flatten().tolist())
        figures = (Figure("t", self.target, axes), Figure(r"\ell", self.each, axes))
        mean = rf"L = \frac{{1}}{{M}} \sum \ell, \quad \ell = {self.formula.replace('z', '{' + z + '}')}"
        return [
            Statement(
                self.says, mean, rf"L = \frac{{1}}{{{self.z.numel()}}} ({worked}) = {number(self.value)}", figures
            )
        ]

    def say_backward(self, z: str, dz: str) -> list[Statement]:
        """Number by number."""
        place = largest(self.dz)
        formula = rf"{dz} = \frac{{1}}{{M}} {self.derivative.replace('z', '{' + z + '}')}"
        slope = self._slope_in_numbers(number(self.z[place]), factor(self.target[place]))
        worked = rf"{dz}_{{{at(place)}}} = \frac{{1}}{{{self.z.numel()}}} {slope} = {number(self.dz[place])}"
        return [Statement("Each output by itself.", formula, worked, (Figure(dz, self.dz, axes_of(self.z.ndim)),))]

    @abstractmethod
    def _each(self, z: Values) -> Values:
        """The loss of each number."""

    @abstractmethod
    def _slope(self, z: Values) -> Values:
        """Its derivative."""

    @abstractmethod
    def _slope_in_numbers(self, z: str, t: str) -> str:
        """The same for one number, written out."""


class SquaredErrorRule(_Elementwise):
    """The mean of (z - t)^2."""

    name = "mean squared error"
    says = "The squared distance to the target, the mean over all M numbers."
    formula, derivative = "(z - t)^2", r"2 (z - t)"

    def torch_loss(self, z: Values) -> Float[Tensor, ""]:
        """`torch.nn.functional.mse_loss`."""
        return torch.nn.functional.mse_loss(z, self.target)

    def _each(self, z: Values) -> Values:
        return (z - self.target).square()

    def _slope(self, z: Values) -> Values:
        return 2 * (z - self.target)

    def _slope_in_numbers(self, z: str, t: str) -> str:
        return rf"\cdot 2 ({z} - {t})"


class BinaryCrossEntropyRule(_Elementwise):
    """Sigmoid and binary cross-entropy: softplus(z) - t z."""

    name = "sigmoid and binary cross-entropy"
    says = "Sigmoid and cross-entropy of each number by itself, as one formula that does not overflow; the mean over all M numbers."
    formula, derivative = r"\max(z, 0) - t \, z + \log (1 + \exp(-|z|))", r"(\sigma(z) - t)"

    def torch_loss(self, z: Values) -> Float[Tensor, ""]:
        """`torch.nn.functional.binary_cross_entropy_with_logits`."""
        return torch.nn.functional.binary_cross_entropy_with_logits(z, self.target)

    def _each(self, z: Values) -> Values:
        return z.clamp(min=0) - self.target * z + torch.log1p(torch.exp(-z.abs()))

    def _slope(self, z: Values) -> Values:
        decayed = torch.exp(-z.abs())
        return torch.where(z >= 0, 1 / (1 + decayed), decayed / (1 + decayed)) - self.target

    def _slope_in_numbers(self, z: str, t: str) -> str:
        return rf"(\sigma({z}) - {t})"


def loss_rule(name: LossName, target: Tensor) -> LossRule:
    """The loss by its name.

    Raises:
        DataError: it has no such name.
    """
    if name == "cross_entropy":
        return CrossEntropyRule(target.long())
    if name == "mse":
        return SquaredErrorRule(target.double())
    if name == "binary_cross_entropy":
        return BinaryCrossEntropyRule(target.double())
    raise DataError(f"There is no worked loss {name!r}; known: cross_entropy, mse, binary_cross_entropy.")
