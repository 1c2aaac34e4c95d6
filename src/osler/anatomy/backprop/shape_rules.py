"""Layers that only arrange numbers anew, or take the mean of whole axes."""

from collections.abc import Callable
from math import prod

from torch import nn

from osler.anatomy.backprop.numbers import at, largest, number, sums
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of


class ReshapeRule(Rule):
    """The same numbers in the same order in another shape."""

    def __init__(self, arrange: Callable[[Values], Values]) -> None:
        self.arrange = arrange

    def forward(self, *inputs: Values) -> Values:
        """In the new shape."""
        self.x, self.y = inputs[0], self.arrange(inputs[0])
        self.passes_on = self.y.shape == self.x.shape
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """In the old shape."""
        self.dx = gradient.reshape(self.x.shape)
        return (self.dx,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """From shape to shape."""
        return [
            Statement(
                f"The same numbers in another shape: {_shape(self.x)} becomes {_shape(self.y)}.",
                figures=(Figure(signs("@y"), self.y, axes_of(self.y.ndim)),),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """And back."""
        figures = (Figure(signs("@dx"), self.dx, axes_of(self.x.ndim)),)
        says = f"The gradient takes the old shape again: {_shape(self.x)}."
        return [Statement(says, signs("@dx = @dy"), figures=figures)]


@rule_for(nn.Flatten, nn.Unflatten)
class FlattenRule(ReshapeRule):
    """`nn.Flatten` and `nn.Unflatten`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module.forward)


@rule_for(nn.Identity)
class IdentityRule(ReshapeRule):
    """`nn.Identity`: no step at all."""

    passes_on = True

    def __init__(self, module: nn.Module) -> None:
        super().__init__(lambda x: x)


class MeanRule(Rule):
    """The mean over some axes."""

    def __init__(self, axes: tuple[int, ...], keep: bool) -> None:
        self.axes, self.keep = axes, keep

    def forward(self, *inputs: Values) -> Values:
        """Means."""
        self.x = inputs[0]
        self.axes = tuple(sorted(a % self.x.ndim for a in self.axes))
        self.m = prod(self.x.shape[a] for a in self.axes)
        self.y = self.x.sum(self.axes, keepdim=self.keep) / self.m
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """Equal parts."""
        shape = [1 if i in self.axes else n for i, n in enumerate(self.x.shape)]
        self.dy = gradient
        self.dx = (gradient.reshape(shape) / self.m).expand_as(self.x).clone()
        return (self.dx,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """Means."""
        place = largest(self.y)
        whole = place if self.keep else self._with_axes(place)
        values = self.x[tuple(slice(None) if i in self.axes else p for i, p in enumerate(whole))]
        worked = sums(values.flatten().tolist())
        over = ", ".join(axes_of(self.x.ndim)[a] for a in self.axes)
        return [
            Statement(
                f"The mean over {over}, m = {self.m} values.",
                signs(r"@y = \frac{1}{m} \sum @x"),
                signs(rf"@y_{{{at(place)}}} = \frac{{1}}{{{self.m}}} ({worked}) = {number(self.y[place])}"),
                (Figure(signs("@y"), self.y, axes_of(self.y.ndim)),),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Equal parts."""
        place = largest(self.dx)
        return [
            Statement(
                "The gradient is shared out in equal parts.",
                signs(r"@dx = \frac{1}{m} @dy"),
                signs(
                    rf"@dx_{{{at(place)}}} = \frac{{{number(self.dx[place] * self.m)}}}{{{self.m}}} = {number(self.dx[place])}"
                ),
                (Figure(signs("@dx"), self.dx, axes_of(self.x.ndim)),),
            )
        ]

    def _with_axes(self, place: tuple[int, ...]) -> tuple[int, ...]:
        rest = iter(place)
        return tuple(0 if i in self.axes else next(rest) for i in range(self.x.ndim))


def _shape(values: Values) -> str:
    return "x".join(map(str, values.shape))
