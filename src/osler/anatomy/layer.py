"""The anatomy of a network: a row for each layer that ran, and what they come to together."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from osler.anatomy.receptive_field import ReceptiveField
from osler.anatomy.window_use import WindowUse

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, as it ran for one picture; bytes and shapes are of a batch of one."""

    index: int
    path: str  # dotted name of the module; of the block, where a block did something itself
    kind: str  # the module's class, or the operators that a block ran between its parts
    inputs: tuple[int, ...]  # indices of the layers whose outputs it took; -1: the picture
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    windows: tuple[WindowUse, ...] = ()
    sees: ReceptiveField | None = None  # None: nothing of the picture
    weights: int = 0
    biases: int = 0
    parameters: tuple[str, ...] = ()  # names; a shared one is counted where it is used first
    multiply_adds: int = 0
    element_operations: int = 0
    output_bytes: int = 0  # of what it made and handed on
    training_bytes: int | None = 0  # kept for the backward pass; None: not known
    parameter_bytes: int = 0
    operators: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()  # operators without a rule: their cost is not in these counts

    @property
    def size(self) -> int:
        """Parameters, weights and biases."""
        return self.weights + self.biases


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that stands out."""

    name: str
    message: str
    where: tuple[str, ...] = ()  # layers


@dataclass(frozen=True)
class Anatomy:
    """A network, inspected. It prints as a table; `osler.anatomy` has it as JSON, Markdown and a drawing too."""

    name: str
    input_shapes: tuple[Shape, ...]
    picture: Shape  # the sides of the picture in pixels
    layers: tuple[Layer, ...]
    kinds: dict[str, str] = field(repr=False)  # the class of each module, by its path
    unused: dict[str, int] = field(default_factory=dict)  # parameters that evaluation does not use, and their sizes
    training_only: dict[str, int] = field(default_factory=dict)  # bytes kept by layers that only a training runs
    peak_bytes: int = 0  # the most that a forward pass without gradients holds at once, the picture with it
    peak_at: str = ""
    how: str = "shapes"  # "shapes": on the meta device; else why one real forward pass was watched instead
    notes: tuple[str, ...] = ()  # what is not known
    remarks: tuple[Remark, ...] = ()

    @cached_property
    def weights(self) -> int:
        """Parameters that are no biases, those that evaluation does not use among them."""
        return sum(layer.weights for layer in self.layers) + sum(n for k, n in self.unused.items() if not is_bias(k))

    @cached_property
    def biases(self) -> int:
        """Parameters that are added: of convolutions, linear layers and norms."""
        return sum(layer.biases for layer in self.layers) + sum(n for k, n in self.unused.items() if is_bias(k))

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases

    @cached_property
    def multiply_adds(self) -> int:
        """Of convolutions and products of matrices, for one picture."""
        return sum(layer.multiply_adds for layer in self.layers)

    @cached_property
    def element_operations(self) -> int:
        """Of all other operators, for one picture."""
        return sum(layer.element_operations for layer in self.layers)

    @cached_property
    def output_bytes(self) -> int:
        """Of all layers' outputs together."""
        return sum(layer.output_bytes for layer in self.layers)

    @cached_property
    def training_bytes(self) -> int | None:
        """What a training keeps for its backward pass, for one picture and beyond the parameters; None: not known."""
        if any(layer.training_bytes is None for layer in self.layers):
            return None
        return sum(layer.training_bytes or 0 for layer in self.layers) + sum(self.training_only.values())

    @cached_property
    def unknown(self) -> dict[str, int]:
        """Operators without a rule, and how often they ran: they are in no other count."""
        return dict(Counter(name for layer in self.layers for name in layer.unknown))

    def layer(self, path: str) -> Layer:
        """The first row of that path, or the last row inside a block of that path.

        Raises:
            KeyError: nothing of that name ran.
        """
        exact = [row for row in self.layers if row.path == path]
        inside = [row for row in self.layers if row.path.startswith(path + ".")]
        if inside:
            return [*inside, *exact][-1] if not exact or inside[-1].index > exact[-1].index else exact[-1]
        if not exact:
            raise KeyError(path)
        return exact[0]

    def _repr_html_(self) -> str:
        from osler.anatomy.terminal import as_html

        return as_html(self)

    def __str__(self) -> str:
        from osler.anatomy.terminal import as_text

        return as_text(self)


def is_bias(name: str) -> bool:
    """Whether a parameter's own name says that it is a bias: `fc.bias`, `in_proj_bias`, `bias_ih_l0`."""
    return "bias" in name.rpartition(".")[2]
