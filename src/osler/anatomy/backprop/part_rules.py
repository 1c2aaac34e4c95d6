"""A part of a value taken out, and zeros put around one: the gradient of what was left out is 0, that of zeros is dropped."""

from collections.abc import Sequence
from typing import Any

import torch

from osler.anatomy.backprop.rule import Rule, Values
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of


class PartRule(Rule):
    """x[index], where every element is taken at most once: whole numbers, slices, an ellipsis, new axes."""

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, *inputs: Values) -> Values:
        """The part."""
        self.x = inputs[0]
        self.y = self.x[self.index].clone()
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """To the same places."""
        self.dx = torch.zeros_like(self.x)
        self.dx[self.index] = gradient
        return (self.dx,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """The part."""
        says = f"A part is taken: {_said(self.index)} of {_said_shape(self.x)}."
        return [Statement(says, figures=(Figure(signs("@y"), self.y, axes_of(self.y.ndim)),))]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Where it came from."""
        return [
            Statement(
                "The gradient goes to the places that were taken; the others did not move the loss and get 0.",
                figures=(Figure(signs("@dx"), self.dx, axes_of(self.x.ndim)),),
            )
        ]


class ZeroPaddingRule(Rule):
    """Zeros around a value: `torch.nn.functional.pad`, the last axis first, how many before and how many behind."""

    def __init__(self, sides: Sequence[int]) -> None:
        self.sides = list(sides)

    def forward(self, *inputs: Values) -> Values:
        """With the zeros."""
        self.x = inputs[0]
        self.y = torch.nn.functional.pad(self.x, self.sides)
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """Without their gradient."""
        self.dx = torch.nn.functional.pad(gradient, [-n for n in self.sides])
        return (self.dx,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """With the zeros."""
        says = f"Zeros are put around it: {_said_shape(self.x)} becomes {_said_shape(self.y)}."
        return [Statement(says, figures=(Figure(signs("@y"), self.y, axes_of(self.y.ndim)),))]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """Without their gradient."""
        figures = (Figure(signs("@dx"), self.dx, axes_of(self.x.ndim)),)
        return [Statement("Nothing moves a zero: its gradient is dropped.", figures=figures)]


def _said(index: Any) -> str:
    """As it is typed: [:, 0, ::2]."""
    parts = index if isinstance(index, tuple) else (index,)
    return f"[{', '.join(map(_said_part, parts))}]"


def _said_part(part: Any) -> str:
    if isinstance(part, slice):
        ends = ("" if v is None else str(v) for v in (part.start, part.stop))
        return ":".join(ends) + ("" if part.step is None else f":{part.step}")
    return "..." if part is Ellipsis else str(part)


def _said_shape(values: Values) -> str:
    return "x".join(map(str, values.shape))
