"""Activation functions by name: PyTorch's own modules, with the formulas, derivatives and habits of each.

The formulas are for reading, for tables and for checking; networks are built with the modules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.structures.registry import Registry

Values = Float[Tensor, " *shape"]

PIECE = 1 / 6  # slope of the hard sigmoid
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, equation 14


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function and what is known of it."""

    name: str
    make: Callable[[], nn.Module]  # PyTorch's module
    value: Callable[[Values], Values]
    derivative: Callable[[Values], Values]  # at a kink the one that PyTorch returns
    formula: str
    range: tuple[float, float]  # of its values
    saturates: tuple[bool, bool]  # far to the left, far to the right: does the derivative vanish
    source: str

    @property
    def can_die(self) -> bool:
        """Whether a unit may stop for every input: the derivative is exactly zero over a half line."""
        far = torch.tensor([-8.0, -12.0], dtype=torch.float64)
        return bool((self.derivative(far) == 0).all()) and self.saturates[0] and not self.saturates[1]

    @property
    def symmetric(self) -> bool:
        """Whether it is odd, so that inputs with mean zero give outputs with mean zero."""
        x = torch.linspace(0.1, 4, 40)
        return torch.allclose(self.value(-x), -self.value(x), atol=1e-6)


activations: Registry[Activation] = Registry("activation")


def _file(name: str, make: Callable[[], nn.Module], *facts: object) -> None:
    activations.register(name)(Activation(name, make, *facts))  # type: ignore[arg-type]


def _sigmoid(x: Values) -> Values:
    """Written so that no exponential of a large number is taken."""
    decayed = torch.exp(-x.abs())
    return torch.where(x >= 0, 1 / (1 + decayed), decayed / (1 + decayed))


def _sigmoid_slope(x: Values) -> Values:
    return _sigmoid(x) * (1 - _sigmoid(x))


def _tanh(x: Values) -> Values:
    """2 sigmoid(2x) - 1."""
    return 2 * _sigmoid(2 * x) - 1


def _step(x: Values) -> Values:
    return (x > 0).to(x.dtype)


def _leaky(slope: float) -> tuple[Callable[[Values], Values], Callable[[Values], Values]]:
    return lambda x: torch.where(x > 0, x, slope * x), lambda x: torch.where(x > 0, torch.ones_like(x), slope)


def _elu(x: Values) -> Values:
    return torch.where(x > 0, x, torch.expm1(x.clamp(max=0)))


def _elu_slope(x: Values) -> Values:
    return torch.where(x > 0, torch.ones_like(x), torch.exp(x.clamp(max=0)))


def _selu(x: Values) -> Values:
    return SELU_SCALE * torch.where(x > 0, x, SELU_ALPHA * torch.expm1(x.clamp(max=0)))


def _selu_slope(x: Values) -> Values:
    return SELU_SCALE * torch.where(x > 0, torch.ones_like(x), SELU_ALPHA * torch.exp(x.clamp(max=0)))


def _hard_sigmoid(x: Values) -> Values:
    return (x * PIECE + 0.5).clamp(0, 1)


def _hard_swish_slope(x: Values) -> Values:
    inside = (x > -3) & (x < 3)
    return torch.where(inside, x / 3 + 0.5, (x >= 3).to(x.dtype))


def _gelu(x: Values) -> Values:
    return x * 0.5 * (1 + torch.erf(x / sqrt(2)))


def _gelu_slope(x: Values) -> Values:
    return 0.5 * (1 + torch.erf(x / sqrt(2))) + x * torch.exp(-(x**2) / 2) / sqrt(2 * pi)


_file("identity", nn.Identity, lambda x: x, torch.ones_like, "z", (-inf, inf), (False, False), "")
_file(
    "sigmoid", nn.Sigmoid, _sigmoid, _sigmoid_slope, "1 / (1 + exp(-z))", (0, 1), (True, True), "Rumelhart et al. 1986"
)
_file(
    "tanh", nn.Tanh, _tanh, lambda x: 1 - _tanh(x) ** 2, "2 sigmoid(2z) - 1", (-1, 1), (True, True), "LeCun et al. 1998"
)
_file("relu", nn.ReLU, lambda x: x.clamp(min=0), _step, "max(0, z)", (0, inf), (True, False), "Nair & Hinton 2010")
_file(
    "leaky_relu",
    nn.LeakyReLU,
    *_leaky(0.01),
    "max(z, 0.01 z)",
    (-inf, inf),
    (False, False),
    "Maas, Hannun & Ng 2013",
)
_file(
    "prelu", nn.PReLU, *_leaky(0.25), "max(z, a z), a learnt from 0.25", (-inf, inf), (False, False), "He et al. 2015"
)
_file("elu", nn.ELU, _elu, _elu_slope, "z, or exp(z) - 1 below 0", (-1, inf), (True, False), "Clevert et al. 2016")
_file(
    "selu",
    nn.SELU,
    _selu,
    _selu_slope,
    "1.0507 (z, or 1.6733 (exp(z) - 1) below 0)",
    (-SELU_SCALE * SELU_ALPHA, inf),
    (True, False),
    "Klambauer et al. 2017",
)
_file(
    "relu6",
    nn.ReLU6,
    lambda x: x.clamp(0, 6),
    lambda x: ((x > 0) & (x < 6)).to(x.dtype),
    "min(max(0, z), 6)",
    (0, 6),
    (True, True),
    "Krizhevsky 2010; Howard et al. 2017",
)
_file(
    "hard_sigmoid",
    nn.Hardsigmoid,
    _hard_sigmoid,
    lambda x: ((x > -3) & (x < 3)).to(x.dtype) * PIECE,
    "min(max(0, z / 6 + 1/2), 1)",
    (0, 1),
    (True, True),
    "Howard et al. 2019",
)
_file(
    "swish",
    nn.SiLU,
    lambda x: x * _sigmoid(x),
    lambda x: _sigmoid(x) * (1 + x * (1 - _sigmoid(x))),
    "z sigmoid(z)",
    (-0.2785, inf),
    (True, False),
    "Ramachandran et al. 2017",
)
_file(
    "h_swish",
    nn.Hardswish,
    lambda x: x * _hard_sigmoid(x),
    _hard_swish_slope,
    "z relu6(z + 3) / 6",
    (-0.375, inf),
    (True, False),
    "Howard et al. 2019",
)
_file("gelu", nn.GELU, _gelu, _gelu_slope, "z Phi(z)", (-0.17, inf), (True, False), "Hendrycks & Gimpel 2016")


def choose_activation(*, place: str = "hidden", norm: bool = True, light: bool = False) -> tuple[str, str]:
    """An activation and the reason, where nothing else is known.

    Args:
        place: `hidden`; or for the last layer what the target is: `number`, `positive`, `class`, `label`, `bounded`.
        norm: whether norm layers keep the inputs near zero mean and unit spread.
        light: whether it runs on processors where exponentials are dear.
    """
    outputs = {
        "number": ("identity", "a number may be any: a bounded activation could not reach it"),
        "positive": ("identity", "predict the logarithm: an activation that cuts at 0 has no gradient there"),
        "class": (
            "identity",
            "softmax belongs to the loss (cross-entropy takes raw outputs and is exact for large ones)",
        ),
        "label": ("identity", "the sigmoid belongs to the loss (binary cross-entropy with logits)"),
        "bounded": ("tanh", "its range is -1 to 1 and it is zero-mean; scale it to the bounds"),
    }
    if place != "hidden":
        return outputs[place]
    if light:
        return "h_swish", "close to swish without an exponential (Howard et al. 2019, section 5.2)"
    if norm:
        return "relu", "cheap, does not saturate on the right, and the norm before it keeps half of the units alive"
    return "elu", "without norm layers its negative half keeps the mean near 0 and no unit dies (Clevert et al. 2016)"
