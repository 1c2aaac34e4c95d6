"""The plan of a plain network, input -> (conv+ pool?)+ -> fully connected+, as the field writes it on a slide.

VGG-16 (Simonyan and Zisserman 2014, table 1, column D) as a plan:

    input224
    | conv3-64  x2 maxpool2
    | conv3-128 x2 maxpool2
    | conv3-256 x3 maxpool2
    | conv3-512 x3 maxpool2
    | conv3-512 x3 maxpool2
    | fc-4096 drop0.5 x2 fc-classes

| word | what it says |
| --- | --- |
| `input224` | the side of the pictures for which the sizes are worked out |
| `conv3-64`, `conv11-96/4` | convolution: kernel, output channels, stride after the slash; bias, then ReLU |
| `maxpool2`, `avgpool3/2` | pooling: window, stride after the slash; without it windows do not overlap |
| `gap` | global average pooling |
| `fc-4096` | fully connected: units; bias, then ReLU |
| `fc-classes`, or `conv1-classes gap` | raw outputs, without activation: the end of every plan |

Further words speak of the layer before them, in any order:

| word | of | what it says |
| --- | --- | --- |
| `pad1` | conv, pool | zeros (pool: nothing) on each side; without it a conv keeps the size and a pool has none |
| `groups2` | conv | parts of the channels that do not see each other |
| `bn` | conv, fc | batch norm, before the activation |
| `lrn` | conv, pool | local response norm of 2012, after the activation |
| `tanh`, `elu`, `identity` ... | conv, fc | another activation, by its name in `osler.nn.activations` |
| `ceil` | pool | a last window that hangs over the edge counts |
| `drop0.5` | all | dropout of its outputs |
| `x2` | conv, fc | the layer, with its words, so many times |

`|` and line breaks are for the eye, and what follows a `#` is a note. `plan_parsing` reads the text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from typing import Literal

from osler.nn.convolution import same_padding
from osler.ops.convolution import Window

CLASSES = "classes"  # stands where a number of channels or units does: as many as there are classes


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution, its norm, its activation, its dropout."""

    kernel: int
    channels: int | None  # None: as many as classes
    stride: int = 1
    padding: int = 0
    groups: int = 1
    norm: Literal["bn", "lrn"] | None = None
    activation: str = "relu"
    dropout: float | None = None  # None: no dropout module

    @property
    def window(self) -> Window:
        """How it walks over a map."""
        return Window(self.kernel, self.stride, self.padding)

    def __str__(self) -> str:
        head = f"conv{self.kernel}-{_count(self.channels)}" + (f"/{self.stride}" if self.stride > 1 else "")
        keeps = self.kernel % 2 == 1 and self.padding == same_padding(self.kernel)
        return _words(
            head,
            None if keeps else f"pad{self.padding}",
            f"groups{self.groups}" if self.groups > 1 else None,
            self.norm,
            _activation(self),
            _drop(self.dropout),
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """A pooling of windows."""

    kind: Literal["max", "avg"]
    kernel: int
    stride: int
    padding: int = 0
    ceil: bool = False
    norm: Literal["lrn"] | None = None
    dropout: float | None = None

    @property
    def window(self) -> Window:
        """How it walks over a map."""
        return Window(self.kernel, self.stride, self.padding, ceil=self.ceil)

    def __str__(self) -> str:
        head = f"{self.kind}pool{self.kernel}" + (f"/{self.stride}" if self.stride != self.kernel else "")
        return _words(
            head,
            f"pad{self.padding}" if self.padding else None,
            "ceil" if self.ceil else None,
            self.norm,
            _drop(self.dropout),
        )


@dataclass(frozen=True, slots=True)
class GlobalAverage:
    """The mean of each map (Lin, Chen, Yan 2013, section 3.2)."""

    dropout: float | None = None

    def __str__(self) -> str:
        return _words("gap", _drop(self.dropout))


@dataclass(frozen=True, slots=True)
class Full:
    """A fully connected layer, its norm, its activation, its dropout."""

    units: int | None  # None: as many as classes
    norm: Literal["bn"] | None = None
    activation: str = "relu"
    dropout: float | None = None

    def __str__(self) -> str:
        return _words(f"fc-{_count(self.units)}", self.norm, _activation(self), _drop(self.dropout))


Layer = Conv | Pool | GlobalAverage | Full


def is_output(layer: Layer) -> bool:
    """Whether it gives a number for each class."""
    return (isinstance(layer, Conv) and layer.channels is None) or (isinstance(layer, Full) and layer.units is None)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plain network: the side of its pictures, and its layers from the picture to the raw outputs.

    `str` gives its text, in which layers that repeat are written once; parsed, that text gives an equal plan.
    """

    input_size: int
    layers: tuple[Layer, ...]

    @property
    def trunk(self) -> tuple[Conv | Pool, ...]:
        """The layers that have maps: all before `gap` and the fully connected ones."""
        return tuple(layer for layer in self.layers if isinstance(layer, (Conv, Pool)))

    @property
    def pools_globally(self) -> bool:
        """Whether the maps are averaged before the first fully connected layer, or at the end."""
        return any(isinstance(layer, GlobalAverage) for layer in self.layers)

    @property
    def classifier(self) -> tuple[Full, ...]:
        """The fully connected layers."""
        return tuple(layer for layer in self.layers if isinstance(layer, Full))

    def side(self, size: int | None = None) -> int:
        """Side of the last map for pictures of `size` pixels, by default those of the plan.

        Raises:
            RecipeError: a window does not fit.
        """
        return reduce(lambda n, layer: layer.window.output(n), self.trunk, self.input_size if size is None else size)

    def __str__(self) -> str:
        return " | ".join([f"input{self.input_size}", *(" ".join(part) for part in _parts(self.layers))])


def _parts(layers: tuple[Layer, ...]) -> Iterator[list[str]]:
    """The words of each stage: convolutions with the pooling that ends them; then the fully connected layers."""
    part: list[str] = []
    before: Layer | None = None
    for layer, run in groupby(layers):
        ends = isinstance(before, Pool) or (isinstance(layer, Full) and not isinstance(before, Full))
        if part and ends:
            yield part
            part = []
        count = len(list(run))
        part.append(f"{layer} x{count}" if count > 1 else str(layer))
        before = layer
    yield part


def _words(*words: str | None) -> str:
    return " ".join(word for word in words if word)


def _count(number: int | None) -> str:
    return CLASSES if number is None else str(number)


def _drop(share: float | None) -> str | None:
    return None if share is None else f"drop{share:.6f}".rstrip("0").rstrip(".")


def _activation(layer: Conv | Full) -> str | None:
    """The word for it, where it is not what the layer has without one."""
    return None if layer.activation == ("identity" if is_output(layer) else "relu") else layer.activation
