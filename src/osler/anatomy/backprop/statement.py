"""What is said of a step: sentences with formulas, one element worked out in numbers, and whole tensors."""

import re
from dataclasses import dataclass, field

from jaxtyping import Bool, Float
from torch import Tensor

SIGN = re.compile(r"@(dx|dy|x|y|[A-Za-z]+|\\[a-z]+)(\d?)")


@dataclass(frozen=True, slots=True)
class Figure:
    """A tensor under its sign."""

    symbol: str  # LaTeX
    values: Float[Tensor, " *shape"]
    axes: tuple[str, ...]  # what each axis counts, such as sample, channel, row, column
    marked: Bool[Tensor, " *shape"] | None = None  # elements to point out: those that won


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, its formula, the formula with the numbers of one element put in, and the tensors that come out."""

    says: str
    formula: str = ""  # LaTeX
    example: str = ""  # LaTeX
    figures: tuple[Figure, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Step:
    """A layer or an operation, forward and back."""

    number: int  # from 1; the values behind it are x^(number)
    name: str  # the module's dotted name, or the operation
    kind: str  # the module as it prints itself
    inputs: tuple[int, ...]  # numbers of the values that it takes; 0 is the sample
    forward: tuple[Statement, ...]
    backward: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Signs:
    """How the tensors of a step are written. In templates `@x` is its input (`@x0`, `@x1` of several), `@y` its output,
    `@dx` and `@dy` the loss' gradients there, and `@W` or any other letter the step's own.
    """

    number: int
    x: tuple[str, ...]
    y: str
    dx: tuple[str, ...]
    dy: str

    def __call__(self, template: str) -> str:
        """The template with the signs of this step."""
        return SIGN.sub(self._written, template)

    def _written(self, found: re.Match[str]) -> str:
        name, which = found[1], int(found[2] or 0)
        match name:
            case "x":
                return self.x[which]
            case "dx":
                return self.dx[which]
            case "y":
                return self.y
            case "dy":
                return self.dy
        return f"{name}^{{({self.number})}}{found[2]}"


def axes_of(ndim: int) -> tuple[str, ...]:
    """What the axes of a batch count."""
    if ndim == 2:
        return ("sample", "feature")
    return ("sample", "channel", "row", "column")[:ndim] if ndim <= 4 else tuple(f"axis {i}" for i in range(ndim))
