"""Numbers as they are written in formulas, and sums of products written out."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

DIGITS = 4  # significant ones
LONGEST = 27  # terms of a sum that are written out: a 3x3 kernel over three channels


def number(value: float | Tensor) -> str:
    """Four significant digits, in LaTeX: 0.3142, -1.2 \\times 10^{-5}."""
    text = rounded(float(value))
    if "e" in text:
        digits, power = text.split("e")
        return rf"{digits} \times 10^{{{int(power)}}}"
    return text


def rounded(value: float) -> str:
    """Four significant digits; whole numbers as they are, no minus before zero."""
    text = f"{value:.{DIGITS}g}"
    return "0" if text == "-0" else text


def factor(value: float | Tensor) -> str:
    """A number after a sign of multiplication or addition: negative ones and powers in brackets."""
    text = number(value)
    return f"({text})" if text.startswith("-") or "times" in text else text


def products(pairs: Sequence[tuple[float, float]], *, plus: Sequence[float] = ()) -> str:
    """a \\cdot b + c \\cdot d + ..., products with a zero left out, and further summands behind them."""
    kept = [(a, b) for a, b in pairs if a != 0 and b != 0]
    terms = [rf"{factor(a)} \cdot {factor(b)}" for a, b in kept]
    return summed(terms, [factor(v) for v in plus])


def sums(values: Sequence[float]) -> str:
    """a + b + ..., zeros left out."""
    return summed([factor(v) for v in values if v != 0])


def summed(terms: Sequence[str], behind: Sequence[str] = ()) -> str:
    """Terms with plus signs between them; where they are many, the last ones are replaced by dots."""
    shown = [*terms[:LONGEST], *([r"\cdots"] if len(terms) > LONGEST else []), *behind]
    return " + ".join(shown) or "0"


def largest(values: Float[Tensor, " *shape"]) -> tuple[int, ...]:
    """The place of the element of largest size: the one that is worked out."""
    return tuple(int(i) for i in torch.unravel_index(values.abs().argmax(), values.shape))


def at(place: Sequence[int]) -> str:
    """A subscript: 0,2,1."""
    return ",".join(map(str, place))
