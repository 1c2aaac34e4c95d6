"""The field's ways to start the weights of a layer, by name.

Each takes an empty kernel [outputs, inputs, *kernel] of one group, its Place in the network, and options by keyword.
PyTorch's `nn.init` fills it; the fans are ours, for PyTorch reads them from the shape of the weight, which is wrong for
grouped and transposed convolutions.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_type_hints

from annotated_types import Gt
from pydantic import TypeAdapter, ValidationError
from torch import nn

from osler.nn.fans import Fans, Kernel
from osler.nn.lsuv import unit_variance
from osler.structures.errors import RecipeError
from osler.structures.registry import Registry, nearest

Positive = Annotated[float, Gt(0)]

RECTIFIER_GAIN = math.sqrt(2.0)
SYMMETRY = (
    "so all units of a layer compute the same and get the same gradient: they stay copies of one another, however long "
    "one trains"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kernel stands."""

    fans: Fans
    head: bool = False  # the last linear layer, whose raw outputs no activation follows


@dataclass(frozen=True, slots=True)
class Initialiser:
    """A way to start weights.

    Args:
        fill: of one kernel; None leaves it to the layer's own `reset_parameters`.
        measure: then looks at pictures: `measure(model, images, **options)` changes weights and returns notes.
        note: what a person should know who chooses it.
    """

    fill: Callable[..., None] | None
    measure: Callable[..., list[str]] | None = None
    note: str = ""

    def checked(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with values of the types that are declared.

        Raises:
            RecipeError: an option is unknown (the nearest is offered) or impossible.
        """
        function = self.measure or self.fill
        parameters = inspect.signature(function).parameters.values() if function else ()
        known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        for key in options:
            if key not in known:
                close = nearest(str(key), known)
                hint = f" Did you mean {close!r}?" if close else ""
                allowed = ", ".join(known) or "none"
                raise RecipeError(f"The initialisation {name!r} has no option {key!r}.{hint} Allowed: {allowed}.")
        hints = get_type_hints(function, include_extras=True) if function else {}
        return {key: _checked_value(name, key, value, hints[key]) for key, value in options.items()}


def _checked_value(name: str, key: str, value: Any, annotation: Any) -> Any:
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        reason = "; ".join(str(e["msg"]) for e in error.errors())
        raise RecipeError(f"The initialisation {name!r} cannot take {key}={value!r}: {reason}.") from None


initialisers: Registry[Initialiser] = Registry("initialisation")


def _zeros(kernel: Kernel, place: Place) -> None:
    nn.init.zeros_(kernel)


def _constant(kernel: Kernel, place: Place, *, value: float = 0.01) -> None:
    nn.init.constant_(kernel, value)


def _normal(kernel: Kernel, place: Place, *, mean: float = 0.0, std: Positive = 0.01) -> None:
    """A spread of 0.01 is that of Krizhevsky et al. 2012 (section 5)."""
    nn.init.normal_(kernel, mean, std)


def _uniform(kernel: Kernel, place: Place, *, low: float = -0.05, high: float = 0.05) -> None:
    if not low < high:
        raise RecipeError(f"The initialisation 'uniform' needs low below high; given: low={low}, high={high}.")
    nn.init.uniform_(kernel, low, high)


def _truncated_normal(kernel: Kernel, place: Place, *, std: Positive = 0.02, cut: Positive = 2.0) -> None:
    """`std` is that of the whole normal distribution; what lies beyond `cut` times it is drawn anew."""
    nn.init.trunc_normal_(kernel, 0.0, std, -cut * std, cut * std)


def _xavier_uniform(kernel: Kernel, place: Place, *, gain: Positive = 1.0) -> None:
    bound = math.sqrt(3.0) * _xavier_spread(place, gain)
    nn.init.uniform_(kernel, -bound, bound)


def _xavier_normal(kernel: Kernel, place: Place, *, gain: Positive = 1.0) -> None:
    nn.init.normal_(kernel, 0.0, _xavier_spread(place, gain))


def _xavier_spread(place: Place, gain: float) -> float:
    """Glorot and Bengio 2010, equation 12: between what keeps activations (fan in) and what keeps gradients (fan out)."""
    return (1.0 if place.head else gain) * math.sqrt(2.0 / (place.fans.fan_in + place.fans.fan_out))


Mode = Literal["fan_in", "fan_out"]


def _he_uniform(kernel: Kernel, place: Place, *, gain: Positive = RECTIFIER_GAIN, mode: Mode = "fan_in") -> None:
    bound = math.sqrt(3.0) * _he_spread(place, gain, mode)
    nn.init.uniform_(kernel, -bound, bound)


def _he_normal(kernel: Kernel, place: Place, *, gain: Positive = RECTIFIER_GAIN, mode: Mode = "fan_in") -> None:
    nn.init.normal_(kernel, 0.0, _he_spread(place, gain, mode))


def _he_spread(place: Place, gain: float, mode: Mode) -> float:
    """He et al. 2015, equations 10 (fan in) and 14 (fan out): a rectifier halves the mean square, the gain makes up."""
    if place.head:
        return 1 / math.sqrt(place.fans.fan_in)
    return gain / math.sqrt(place.fans.fan_in if mode == "fan_in" else place.fans.fan_out)


def _orthogonal(kernel: Kernel, place: Place, *, gain: Positive = 1.0) -> None:
    """Saxe, McClelland and Ganguli 2013: rows or columns of the kernel as a matrix are orthonormal, times the gain."""
    nn.init.orthogonal_(kernel, 1.0 if place.head else gain)


def _identity(kernel: Kernel, place: Place) -> None:
    """The first outputs pass the inputs on; outputs beyond the number of inputs are He's, for at 0 they would stay alike.

    The head is normal with spread 1 / sqrt(fan in).
    """
    _he_normal(kernel, place)
    if place.head:
        return
    same = kernel[: kernel.shape[1]]
    nn.init.eye_(same) if kernel.ndim == 2 else nn.init.dirac_(same)


_TABLE: dict[str, Initialiser] = {
    "zeros": Initialiser(
        _zeros,
        note=f"All weights start at 0, {SYMMETRY}; behind ReLU nothing but the last bias moves. To train, use he_normal.",
    ),
    "constant": Initialiser(_constant, note=f"All weights start at one value, {SYMMETRY}. To train, use he_normal."),
    "normal": Initialiser(_normal),
    "uniform": Initialiser(_uniform),
    "truncated_normal": Initialiser(_truncated_normal),
    "xavier_uniform": Initialiser(_xavier_uniform),
    "xavier_normal": Initialiser(_xavier_normal),
    "he_uniform": Initialiser(_he_uniform),
    "he_normal": Initialiser(_he_normal),
    "orthogonal": Initialiser(_orthogonal),
    "identity": Initialiser(_identity),
    "torch": Initialiser(None),
    "lsuv": Initialiser(_orthogonal, measure=unit_variance),
}
for _name, _initialiser in _TABLE.items():
    initialisers.register(_name)(_initialiser)
