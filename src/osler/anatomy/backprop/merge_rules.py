"""Where branches come together: sums, differences, products and concatenations of two or more values."""

import torch

from osler.anatomy.backprop.numbers import at, factor, largest, number, sums
from osler.anatomy.backprop.rule import Rule, Values
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of


class SumRule(Rule):
    """x0 + x1, or x0 - x1 with `sign` -1; shapes may differ where one side is repeated."""

    def __init__(self, sign: int = 1) -> None:
        self.sign = sign

    def forward(self, *inputs: Values) -> Values:
        """The sum."""
        self.a, self.b = inputs
        self.y = self.a + self.sign * self.b
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """The whole gradient to both."""
        self.parts = _folded(gradient, self.a), _folded(self.sign * gradient, self.b)
        return self.parts

    def say_forward(self, signs: Signs) -> list[Statement]:
        """The sum."""
        place = largest(self.y)
        a, b = (v.expand_as(self.y)[place] for v in (self.a, self.b))
        sign = "+" if self.sign > 0 else "-"
        return [
            Statement(
                "Two branches meet: " + ("their values add up." if self.sign > 0 else "one is taken from the other."),
                signs(f"@y = @x0 {sign} @x1"),
                signs(rf"@y_{{{at(place)}}} = {number(a)} {sign} {factor(b)} = {number(self.y[place])}"),
                (Figure(signs("@y"), self.y, axes_of(self.y.ndim)),),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Whole to both: why shortcuts carry gradients far."""
        minus = "-" if self.sign < 0 else ""
        return [
            Statement(
                "A sum moves one for one with either side, so that each branch gets the whole gradient; by a shortcut it "
                "reaches the layers before it undiminished." + _repeated(self.y, self.a, self.b),
                signs(f"@dx0 = @dy, \\quad @dx1 = {minus}@dy"),
                figures=tuple(
                    Figure(signs(f"@dx{i}"), part, axes_of(part.ndim))
                    for i, part in enumerate(self.parts)
                    if part.shape != self.y.shape
                ),
            )
        ]


class ProductRule(Rule):
    """x0 times x1, as of a gate and what it lets through; or x0 times a constant."""

    def __init__(self, constant: float | None = None) -> None:
        self.constant = constant

    def forward(self, *inputs: Values) -> Values:
        """The product."""
        self.a = inputs[0]
        self.b = inputs[1] if self.constant is None else torch.tensor(self.constant, dtype=self.a.dtype)
        self.y = self.a * self.b
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """Each gets the gradient times the other."""
        self.dy = gradient
        self.da, self.db = _folded(gradient * self.b, self.a), _folded(gradient * self.a, self.b)
        return (self.da, self.db) if self.constant is None else (self.da,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """The product."""
        place = largest(self.y)
        a, b = (v.expand_as(self.y)[place] for v in (self.a, self.b))
        other = "@x1" if self.constant is None else number(self.constant)
        return [
            Statement(
                "Number by number.",
                signs(rf"@y = @x0 \odot {other}" if self.constant is None else rf"@y = {other} \, @x0"),
                signs(rf"@y_{{{at(place)}}} = {number(a)} \cdot {factor(b)} = {number(self.y[place])}"),
                (Figure(signs("@y"), self.y, axes_of(self.y.ndim)),),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Each times the other."""
        if self.constant is not None:
            figures = (Figure(signs("@dx0"), self.da, axes_of(self.a.ndim)),)
            formula = signs(rf"@dx0 = {number(self.constant)} \, @dy")
            return [Statement("The gradient is multiplied by the same number.", formula, figures=figures)]
        return [
            Statement(
                "Each side moves the product by the other side." + _repeated(self.y, self.a, self.b),
                signs(r"@dx0 = @dy \odot @x1, \quad @dx1 = @dy \odot @x0"),
                figures=(
                    Figure(signs("@dx0"), self.da, axes_of(self.a.ndim)),
                    Figure(signs("@dx1"), self.db, axes_of(self.b.ndim)),
                ),
            )
        ]


class ConcatenationRule(Rule):
    """Values one behind the other along an axis."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *inputs: Values) -> Values:
        """All of them."""
        self.sizes = [v.shape[self.axis] for v in inputs]
        self.y = torch.cat(inputs, self.axis)
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """Cut at the same places."""
        self.parts = gradient.split(self.sizes, self.axis)
        return self.parts

    def say_forward(self, signs: Signs) -> list[Statement]:
        """Side by side."""
        axis = axes_of(self.y.ndim)[self.axis]
        return [
            Statement(
                f"Branches side by side along the axis {axis}: {sums([float(s) for s in self.sizes])} = {self.y.shape[self.axis]}.",
                signs(rf"@y = [{', '.join(f'@x{i}' for i in range(len(self.sizes)))}]"),
                figures=(Figure(signs("@y"), self.y, axes_of(self.y.ndim)),),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Each gets its part."""
        parts = ", ".join(f"@dx{i}" for i in range(len(self.sizes)))
        figures = [Figure(signs(f"@dx{i}"), part, axes_of(part.ndim)) for i, part in enumerate(self.parts)]
        says = "Each branch gets its own part of the gradient."
        return [Statement(says, signs(rf"[{parts}] = @dy"), figures=tuple(figures))]


def _folded(gradient: Values, like: Values) -> Values:
    """Where a side was repeated to fit the other, its gradients add up."""
    for _ in range(gradient.ndim - like.ndim):
        gradient = gradient.sum(0)
    for axis, size in enumerate(like.shape):
        if size == 1 and gradient.shape[axis] != 1:
            gradient = gradient.sum(axis, keepdim=True)
    return gradient


def _repeated(y: Values, *sides: Values) -> str:
    if all(side.shape == y.shape for side in sides):
        return ""
    return " Where a side was repeated to fit the other, its gradients add up."
