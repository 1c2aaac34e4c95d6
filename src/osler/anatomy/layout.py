"""Where the boxes of a drawing stand: in layers from top to bottom, branches beside one another.

The method is that of Sugiyama, Tagawa and Toda 1981, with a few sweeps of means for the order in a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Row from the top and column, which may lie between two whole ones."""

    row: int
    column: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one box to another, through the columns that it keeps free in the rows between."""

    source: int  # -1: the picture
    target: int
    through: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of the picture (first) and of the boxes, and the arrows."""

    places: tuple[Place, ...]
    arrows: tuple[Arrow, ...]
    columns: float


def laid_out(sources: Sequence[Sequence[int]]) -> Layout:
    """Places for boxes of which each says the boxes that it takes from (-1: the picture), all of them before it."""
    rows = _rows(sources)
    nodes: list[tuple[int, int]] = [(-1, 0), *((i, rows[i]) for i in range(len(sources)))]  # box or -1, row
    parents: list[list[int]] = [[] for _ in nodes]
    chains: dict[tuple[int, int], list[int]] = {}
    for box, taken in enumerate(sources):
        for source in taken:
            above = source + 1
            chain = []
            for row in range(nodes[above][1] + 1, rows[box]):  # a place in each row that the arrow passes
                nodes.append((-2, row))
                parents.append([above])
                above = len(nodes) - 1
                chain.append(above)
            parents[box + 1].append(above)
            chains[source, box] = chain
    columns = _columns(nodes, parents)
    places = [Place(row, columns[i]) for i, (_, row) in enumerate(nodes)]
    arrows = tuple(Arrow(s, t, tuple(places[n] for n in chain)) for (s, t), chain in chains.items())
    return Layout(tuple(places[: len(sources) + 1]), arrows, max(columns) + 1 if columns else 1)


def _rows(sources: Sequence[Sequence[int]]) -> list[int]:
    """Each box one below the lowest that it takes from."""
    rows: list[int] = []
    for taken in sources:
        rows.append(1 + max((rows[s] if s >= 0 else 0 for s in taken), default=0))
    return rows


def _columns(nodes: Sequence[tuple[int, int]], parents: Sequence[Sequence[int]]) -> list[float]:
    """In each row in the order of what stands above, each under the middle of its parents where there is room."""
    children: list[list[int]] = [[] for _ in nodes]
    for node, above in enumerate(parents):
        for parent in above:
            children[parent].append(node)
    by_row: dict[int, list[int]] = {}
    for node, (_, row) in enumerate(nodes):
        by_row.setdefault(row, []).append(node)
    column = [0.0] * len(nodes)
    for sweep in range(4):
        downward = sweep % 2 == 0
        for row in sorted(by_row, reverse=not downward):
            beside = parents if downward else children
            wish = {n: _mean([column[p] for p in beside[n]], column[n]) for n in by_row[row]}
            _spread(sorted(by_row[row], key=lambda n: (wish[n], nodes[n][0] == -2, n)), wish, column)
    least = min(column, default=0.0)
    return [c - least for c in column]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _spread(order: Sequence[int], wish: dict[int, float], column: list[float]) -> None:
    """Columns at least one apart, in the given order, as near to the wishes as their middle allows."""
    placed: list[float] = []
    for node in order:
        placed.append(max(wish[node], placed[-1] + 1) if placed else wish[node])
    shift = sum(wish[n] - p for n, p in zip(order, placed, strict=True)) / len(order)
    for node, place in zip(order, placed, strict=True):
        column[node] = place + shift
