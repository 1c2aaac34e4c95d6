"""Dropout with its mask: the values that were dropped get no gradient."""

import torch
from torch import nn

from osler.anatomy.backprop.numbers import at, factor, largest, number
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of


@rule_for(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
class DropoutRule(Rule):
    """Inverted dropout, of units or of whole maps. In evaluation, and with p = 0, it is nothing."""

    def __init__(self, module: nn.Dropout | nn.Dropout2d) -> None:
        self.layer, self.p = module, module.p
        self.passes_on = not module.training or module.p == 0

    def forward(self, *inputs: Values) -> Values:
        """Draws a mask from PyTorch's random numbers as the layer would, so that under one seed both drop the same."""
        self.x = inputs[0]
        self.mask = (type(self.layer)(self.p)(torch.ones_like(self.x)) > 0).to(self.x.dtype)
        self.y = self.mask * self.x / (1 - self.p) if self.p < 1 else torch.zeros_like(self.x)
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """The same mask."""
        self.dy = gradient
        self.dx = self.mask * gradient / (1 - self.p) if self.p < 1 else torch.zeros_like(gradient)
        return (self.dx,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """Mask and scale."""
        place, axes = largest(self.y), axes_of(self.x.ndim)
        return [
            Statement(
                f"A coin is tossed for each {'unit' if type(self.layer) is nn.Dropout else 'map'}; with p = {self.p:g} it is "
                "dropped. What is kept is divided by 1 - p, so that the mean stays.",
                signs(r"@y = \frac{1}{1 - p} \, @m \odot @x"),
                signs(rf"@y_{{{at(place)}}} = {self._worked(self.x, place)} = {number(self.y[place])}"),
                (Figure(signs("@m"), self.mask, axes), Figure(signs("@y"), self.y, axes)),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """The same mask and scale."""
        place, axes = largest(self.dx), axes_of(self.x.ndim)
        return [
            Statement(
                "The gradient passes where the value passed, by the same mask and the same factor.",
                signs(r"@dx = \frac{1}{1 - p} \, @m \odot @dy"),
                signs(rf"@dx_{{{at(place)}}} = {self._worked(self.dy, place)} = {number(self.dx[place])}"),
                (Figure(signs("@dx"), self.dx, axes),),
            )
        ]

    def _worked(self, values: Values, place: tuple[int, ...]) -> str:
        """One number through the mask."""
        return rf"\frac{{{number(self.mask[place])} \cdot {factor(values[place])}}}{{1 - {number(self.p)}}}"
