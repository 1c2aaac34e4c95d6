"""Layers folded into blocks by the dots of their names, as far as wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from osler.anatomy.layer import Anatomy, Layer

ROWS = 60  # as many rows a reader still looks through


@dataclass(frozen=True, slots=True)
class Block:
    """Layers that ran one after another inside one module; or a single layer."""

    path: str
    kind: str
    layers: tuple[Layer, ...]

    @property
    def last(self) -> Layer:
        """The layer whose output is the block's."""
        return self.layers[-1]

    @property
    def window(self) -> str:
        """The window of a single layer: `3x3/2 p1`."""
        return self.last.windows[0].short if len(self.layers) == 1 and len(self.last.windows) == 1 else ""

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(layer.size for layer in self.layers)

    @property
    def biases(self) -> int:
        """Those that are added."""
        return sum(layer.biases for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """For one picture."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def element_operations(self) -> int:
        """For one picture."""
        return sum(layer.element_operations for layer in self.layers)

    @property
    def output_bytes(self) -> int:
        """Of all outputs inside, together."""
        return sum(layer.output_bytes for layer in self.layers)

    @property
    def training_bytes(self) -> int | None:
        """Kept for the backward pass; None: not known."""
        kept = [layer.training_bytes for layer in self.layers]
        return None if None in kept else sum(k or 0 for k in kept)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Operators without a rule."""
        return tuple(name for layer in self.layers for name in layer.unknown)


def folded(anatomy: Anatomy, depth: int | None = None) -> list[Block]:
    """The rows of the table.

    Args:
        anatomy: of a network.
        depth: names are shown with so many parts, and what lies deeper is folded into one row; 0: every layer.
            None: as deep as leaves at most 60 rows.
    """
    if depth is not None and depth > 0:
        return _at(anatomy, depth)
    deepest = max((layer.path.count(".") + 1 for layer in anatomy.layers), default=1)
    if depth == 0:
        return _at(anatomy, deepest)
    return next((rows for d in range(deepest, 0, -1) if len(rows := _at(anatomy, d)) <= ROWS), _at(anatomy, 1))


def _at(anatomy: Anatomy, depth: int) -> list[Block]:
    blocks = containers(anatomy.layers)

    def key(layer: Layer) -> tuple[str, int]:
        parts = layer.path.split(".")
        inside = len(parts) > depth or (len(parts) == depth and layer.path in blocks)
        return (".".join(parts[:depth]), -1) if inside and layer.path else (layer.path, layer.index)

    out = []
    for (path, _), group in groupby(anatomy.layers, key):
        layers = tuple(group)
        kind = layers[0].kind if len(layers) == 1 and layers[0].path == path else anatomy.kinds.get(path, "")
        out.append(Block(path, kind, layers))
    return out


def containers(layers: Sequence[Layer]) -> set[str]:
    """Names of the modules inside of which layers ran."""
    names = set()
    for layer in layers:
        parts = layer.path.split(".")
        names |= {".".join(parts[:n]) for n in range(1, len(parts))}
    return names
