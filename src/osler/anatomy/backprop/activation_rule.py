"""Activation functions: one number at a time, so that the gradient is multiplied by the slope at each."""

from collections.abc import Callable

import torch
from torch import nn

from osler.anatomy.backprop.numbers import at, factor, largest, number, products
from osler.anatomy.backprop.rule import Rule, Values, rule_for
from osler.anatomy.backprop.statement import Figure, Signs, Statement, axes_of
from osler.nn.activations import activations
from osler.structures.errors import RecipeError

Function = Callable[[Values], Values]
KINDS: dict[type[nn.Module], str] = {
    nn.Sigmoid: "sigmoid", nn.Tanh: "tanh", nn.ReLU: "relu", nn.SELU: "selu", nn.ReLU6: "relu6",
    nn.Hardsigmoid: "hard_sigmoid", nn.SiLU: "swish", nn.Hardswish: "h_swish", nn.GELU: "gelu",
}  # fmt: skip


def _cases(*pairs: str) -> str:
    values = [rf"{value} & {when}" for value, when in zip(pairs[::2], pairs[1::2], strict=True)]
    return r"\begin{cases} " + r" \\ ".join(values) + r" \end{cases}"


ABOVE, BELOW = r"\text{if } z > 0", r"\text{if } z \le 0"
WRITTEN = {  # the function, and its slope, as LaTeX
    "sigmoid": (r"\sigma(z) = \frac{1}{1 + \exp(-z)}", r"\sigma(z) (1 - \sigma(z))"),
    "tanh": (r"\tanh(z)", r"1 - \tanh^2(z)"),
    "relu": (r"\max(0, z)", _cases("1", ABOVE, "0", BELOW)),
    "selu": (_cases("1.0507 \\, z", ABOVE, r"1.7581 \, (\exp(z) - 1)", BELOW), _cases("1.0507", ABOVE, r"1.7581 \exp(z)", BELOW)),
    "relu6": (r"\min(\max(0, z), 6)", _cases("1", r"\text{if } 0 < z < 6", "0", r"\text{otherwise}")),
    "hard_sigmoid": (
        r"\min \left( \max \left( 0, \frac{z}{6} + \frac{1}{2} \right), 1 \right)",
        _cases(r"\frac{1}{6}", r"\text{if } -3 < z < 3", "0", r"\text{otherwise}"),
    ),
    "swish": (r"z \, \sigma(z)", r"\sigma(z) (1 + z (1 - \sigma(z)))"),
    "h_swish": (
        r"\frac{1}{6} z \, \min(\max(0, z + 3), 6)",
        _cases(r"\frac{z}{3} + \frac{1}{2}", r"\text{if } -3 < z < 3", "1", r"\text{if } z \ge 3", "0", r"\text{otherwise}"),
    ),
    "gelu": (r"z \, \Phi(z)", r"\Phi(z) + z \, \phi(z)"),
}  # fmt: skip


class _Pointwise(Rule):
    """A function of one number."""

    def __init__(self, value: Function, slope: Function, formula: str, derivative: str) -> None:
        self.value, self.slope, self.formula, self.derivative = value, slope, formula, derivative

    def forward(self, *inputs: Values) -> Values:
        """f of each number."""
        self.x = inputs[0]
        self.y = self.value(self.x)
        return self.y

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """Times f' of each number."""
        self.dy, self.slopes = gradient, self.slope(self.x)
        self.dx = gradient * self.slopes
        return (self.dx,)

    def say_forward(self, signs: Signs) -> list[Statement]:
        """The function."""
        place = largest(self.y)
        return [
            Statement(
                "Each number by itself.",
                signs(rf"@y = f(@x), \quad f(z) = {self.formula}"),
                signs(rf"@y_{{{at(place)}}} = f({number(self.x[place])}) = {number(self.y[place])}"),
                (Figure(signs("@y"), self.y, axes_of(self.y.ndim)),),
            )
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """The slope, and the gradient times it."""
        place, axes = largest(self.dx), axes_of(self.x.ndim)
        worked = products([(float(self.dy[place]), float(self.slopes[place]))])
        return [
            Statement(
                "The gradient is multiplied by the slope at each number.",
                signs(rf"@dx = @dy \odot f'(@x), \quad f'(z) = {self.derivative}"),
                signs(rf"@dx_{{{at(place)}}} = {worked} = {number(self.dx[place])}"),
                (
                    Figure(signs("f'(@x)"), self.slopes, axes),
                    Figure(signs("@dx"), self.dx, axes),
                ),
            )
        ]


@rule_for(*KINDS)
class ActivationRule(_Pointwise):
    """A function of the registry of activations, with the formulas written there in code."""

    def __init__(self, module: nn.Module) -> None:
        if isinstance(module, nn.GELU) and module.approximate != "none":
            raise RecipeError("There is a worked rule for the exact GELU, not for its approximation by tanh.")
        name = next(name for kind, name in KINDS.items() if isinstance(module, kind))
        known = activations[name]
        super().__init__(known.value, known.derivative, *WRITTEN[name])


@rule_for(nn.LeakyReLU)
class LeakyReLURule(_Pointwise):
    """A small slope below zero."""

    def __init__(self, module: nn.LeakyReLU) -> None:
        a = module.negative_slope
        super().__init__(
            lambda x: torch.where(x > 0, x, a * x),
            lambda x: torch.where(x > 0, torch.ones_like(x), a),
            _cases("z", ABOVE, rf"{number(a)} \, z", BELOW),
            _cases("1", ABOVE, number(a), BELOW),
        )


@rule_for(nn.ELU)
class ELURule(_Pointwise):
    """An exponential below zero."""

    def __init__(self, module: nn.ELU) -> None:
        a = module.alpha
        super().__init__(
            lambda x: torch.where(x > 0, x, a * torch.expm1(x.clamp(max=0))),
            lambda x: torch.where(x > 0, torch.ones_like(x), a * torch.exp(x.clamp(max=0))),
            _cases("z", ABOVE, rf"{number(a)} (\exp(z) - 1)", BELOW),
            _cases("1", ABOVE, rf"{number(a)} \exp(z)", BELOW),
        )


@rule_for(nn.PReLU)
class PReLURule(_Pointwise):
    """The slope below zero is learnt, one for all channels or one a channel."""

    def __init__(self, module: nn.PReLU) -> None:
        self.weight = module.weight.detach()
        super().__init__(
            lambda x: torch.where(x > 0, x, self._wide(x) * x),
            lambda x: torch.where(x > 0, torch.ones_like(x), self._wide(x).expand_as(x)),
            _cases("z", ABOVE, "a \\, z", BELOW),
            _cases("1", ABOVE, "a", BELOW),
        )

    def backward(self, gradient: Values) -> tuple[Values, ...]:
        """Also in the slope: what came from above times the input, where that is negative."""
        found = super().backward(gradient)
        each = gradient * self.x.clamp(max=0)
        over = [0, *range(2, self.x.ndim)] if len(self.weight) > 1 else list(range(self.x.ndim))
        self.d_weight = each.sum(over).reshape(self.weight.shape)
        return found

    def parameter_gradients(self) -> dict[str, Values]:
        """Of the slope."""
        return {"weight": self.d_weight}

    def say_forward(self, signs: Signs) -> list[Statement]:
        """With the slope's own number."""
        return [
            Statement(
                "The slope below zero is a parameter.", figures=(Figure(signs("@a"), self.weight, ("channel",)),)
            ),
            *super().say_forward(signs),
        ]

    def say_backward(self, signs: Signs) -> list[Statement]:
        """The slope first."""
        (c,) = largest(self.d_weight)
        way = self.dy if len(self.weight) == 1 else self.dy[:, c]
        seen = (self.x if len(self.weight) == 1 else self.x[:, c]).clamp(max=0)
        worked = products(list(zip(way.flatten().tolist(), seen.flatten().tolist(), strict=True)))
        d = r"\frac{\partial L}{\partial @a"
        own = Statement(
            "The slope multiplies every negative input that it belongs to.",
            signs(rf"{d}}} = \sum @dy \, \min(0, @x)"),
            signs(rf"{d}_{{{c}}}}} = {worked} = {factor(self.d_weight[c])}"),
            (Figure(signs(rf"{d}}}"), self.d_weight, ("channel",)),),
        )
        return [own, *super().say_backward(signs)]

    def _wide(self, x: Values) -> Values:
        return self.weight.view(1, -1, *[1] * (x.ndim - 2)) if len(self.weight) > 1 else self.weight
