"""A tensor as tables that fit on a page: its last two axes are rows and columns, and each table says which it is."""

from dataclasses import dataclass
from itertools import product

from osler.anatomy.backprop.statement import Figure

SIDE = 32  # rows or columns of a table, at most
TABLES = 32


@dataclass(frozen=True, slots=True)
class Block:
    """One table."""

    label: str  # such as "sample 0, channel 2"
    rows: list[list[float]]
    marks: list[list[bool]]


@dataclass(frozen=True, slots=True)
class Blocks:
    """All tables of a tensor, and what was left out."""

    blocks: list[Block]
    left_out: str
    largest: float  # size of the tensor's largest number: the full tint


def blocks(figure: Figure) -> Blocks:
    """The tables of a figure; a tensor with one axis is one row."""
    values = figure.values
    marks = figure.marked if figure.marked is not None else values.isnan()
    while values.ndim < 2:
        values, marks = values[None], marks[None]
    outer, rows, columns = values.shape[:-2], *values.shape[-2:]
    shown = [place for i, place in enumerate(product(*map(range, outer))) if i < TABLES]
    found = []
    for place in shown:
        label = ", ".join(f"{axis} {i}" for axis, i in zip(figure.axes, place, strict=False))
        cut: tuple[int | slice, ...] = (*place, slice(SIDE), slice(SIDE))
        found.append(Block(label, values[cut].tolist(), marks[cut].tolist()))
    tables = 1
    for size in outer:
        tables *= size
    parts = [f"{SIDE} of {n} {word}" for n, word in ((rows, "rows"), (columns, "columns")) if n > SIDE]
    parts += [f"{TABLES} of {tables} tables"] if tables > TABLES else []
    left_out = f"Shown: the first {', the first '.join(parts)}." if parts else ""
    return Blocks(found, left_out, float(values.abs().max()) if values.numel() else 0.0)
