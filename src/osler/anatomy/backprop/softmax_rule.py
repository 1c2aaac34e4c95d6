"""Softmax and its logarithm as layers: every output depends on every input of its row."""

import torch
from torch import nn

from osler.anatomy.backprop.numbers import at, factor, largest, number, products, sums
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of
from osler.structures.errors import RecipeError


def softmax(z: Values) -> Values:
    """exp(z) over the sum of it along axis 1, by way of z less its largest, so that nothing overflows."""
    e = torch.exp(z - z.amax(1, keepdim=True))
    return e / e.sum(1, keepdim=True)


@rule_for(nn.Softmax, nn.LogSoftmax)
class SoftmaxRule(Rule):
    """Over axis 1: features of samples, or channels of maps."""

    def __init__(self, module: nn.Softmax | nn.LogSoftmax) -> None:
        if module.dim != 1:
            raise RecipeError(f"{module}: there is a worked rule for softmax over axis 1.")
        self.log = isinstance(module, nn.LogSoftmax)

    def forward(self, *inputs: Values) -> Values:
        """Probabilities, or their logarithms."""
        self.x = inputs[0]
        self.p = softmax(self.x)
        top = self.x.amax(1, keepdim=True)
        self.y = self.x - top - (self.x - top).exp().sum(1, keepdim=True).log() if self.log else self.p
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """By the Jacobian's formula."""
        self.dy = gradient
        self.mean = ((gradient * self.p) if not self.log else gradient).sum(1, keepdim=True)
        self.dx = gradient - self.p * self.mean if self.log else self.p * (gradient - self.mean)
        return (self.dx,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """The probabilities."""
        place, axes = largest(self.y), axes_of(self.x.ndim)
        row = self.x[_row(place)].tolist()
        below = " + ".join(rf"\exp({number(v)})" for v in row)
        formula, worked = (
            r"\frac{\exp(@x_{n,j})}{\sum_{k} \exp(@x_{n,k})}",
            rf"\frac{{\exp({number(self.x[place])})}}{{{below}}}",
        )
        log = r"\log " if self.log else ""
        return [
            Statement(
                "Exponentials over their sum: positive, and 1 together"
                + ("; here their logarithms." if self.log else "."),
                signs(rf"@y_{{n,j}} = {log}{formula}"),
                signs(rf"@y_{{{at(place)}}} = {log}{worked} = {number(self.y[place])}"),
                (Figure(signs("@y"), self.y, axes),),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Every output moves with every input."""
        place, axes = largest(self.dx), axes_of(self.x.ndim)
        row = _row(place)
        if self.log:
            inside = sums(self.dy[row].tolist())
            worked = rf"{number(self.dy[place])} - {factor(self.p[place])} \cdot ({inside})"
            formula = r"@dx_{n,j} = @dy_{n,j} - p_{n,j} \sum_{k} @dy_{n,k}"
            jacobian = r"\frac{\partial @y_k}{\partial @x_j} = 1_{j=k} - p_j"
        else:
            inside = products(list(zip(self.dy[row].tolist(), self.p[row].tolist(), strict=True)))
            worked = rf"{number(self.p[place])} \left( {number(self.dy[place])} - ({inside}) \right)"
            formula = r"@dx_{n,j} = p_{n,j} \left( @dy_{n,j} - \sum_{k} @dy_{n,k} \, p_{n,k} \right)"
            jacobian = r"\frac{\partial @y_k}{\partial @x_j} = p_k (1_{j=k} - p_j)"
        return [
            Statement(
                "Each input raises its own output and lowers all others.",
                signs(rf"{jacobian}, \quad {formula}"),
                signs(rf"@dx_{{{at(place)}}} = {worked} = {number(self.dx[place])}"),
                (Figure(signs("@dx"), self.dx, axes),),
            )
        ]


def _row(place: tuple[int, ...]) -> tuple[int | slice, ...]:
    """All that stand along axis 1 with an element."""
    return (place[0], slice(None), *place[2:])
