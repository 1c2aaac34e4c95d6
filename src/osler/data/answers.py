"""What the text in label columns means: one class a picture, several labels a picture, or numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from osler.data.pictures import natural_key
from osler.data.source import TargetKind
from osler.structures.errors import DataError

SEPARATORS = ";|"
MOST_NUMBERED_CLASSES = 20  # more different whole numbers than this in one column are measurements rather than classes

Columns = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Answers:
    """Targets as the data floor keeps them, what they are, and what their columns or values are called."""

    kind: TargetKind
    names: tuple[str, ...]
    targets: np.ndarray  # int64 [n], uint8 [n k] or float32 [n k]
    notes: tuple[str, ...] = ()


def answers_of(
    columns: Columns, wanted: Literal["auto", "class", "labels", "numbers"], *, place: Path, lines: list[int]
) -> Answers:
    """The targets in some columns of text.

    One column: text is a class; text with `;` or `|` between is several labels; numbers are numbers, except that at
    most 20 different whole numbers are classes. Several columns: 0 and 1 everywhere are labels, other numbers are
    numbers.

    Raises:
        DataError: a cell is empty, or cells are of different kinds; the message names the line.
    """
    where = _Where(place, lines)
    kind, note = (wanted, "") if wanted != "auto" else _kind(columns, where)
    if not (kind == "labels" and len(columns) == 1):
        _refuse_empty(columns, where)
    read: dict[str, Callable[[Columns, _Where], Answers]] = {"class": _classes, "labels": _labels, "numbers": _numbers}
    answers = read[kind](columns, where)
    return Answers(answers.kind, answers.names, answers.targets, (note,) if note else ())


@dataclass(frozen=True, slots=True)
class _Where:
    place: Path
    lines: list[int]

    def row(self, i: int) -> str:
        return f"{self.place}, line {self.lines[i]}"


def _kind(columns: Columns, where: _Where) -> tuple[TargetKind, str]:
    """What the columns seem to hold, and a note where it could be otherwise."""
    _refuse_empty(columns, where)
    if len(columns) > 1:
        cells = {cell for column in columns.values() for cell in column}
        return ("labels" if cells <= {"0", "1"} else "numbers"), ""
    ((name, cells_of_one),) = columns.items()
    if any(mark in cell for cell in cells_of_one for mark in SEPARATORS):
        return "labels", ""
    numeric = [_number(cell) is not None for cell in cells_of_one]
    if not any(numeric):
        return "class", ""
    if not all(numeric):
        word, number = numeric.index(False), numeric.index(True)
        raise DataError(
            f"{where.place}: column {name!r} mixes numbers and words: {cells_of_one[number]!r} (line "
            f"{where.lines[number]}), "
            f"{cells_of_one[word]!r} (line {where.lines[word]}). Set data.labels=class if all of them are "
            "names of classes."
        )
    return _whole_or_measured(name, cells_of_one)


def _whole_or_measured(name: str, cells: list[str]) -> tuple[TargetKind, str]:
    different = set(cells)
    if any(not cell.lstrip("+-").isdigit() for cell in different):
        return "numbers", ""
    if len(different) <= MOST_NUMBERED_CLASSES:
        return (
            "class",
            f"Column {name!r} holds {len(different)} different whole numbers: taken as classes. If they "
            "measure something, set data.labels=numbers.",
        )
    return (
        "numbers",
        f"Column {name!r} holds {len(different)} different whole numbers: taken as numbers. If they are "
        "classes, set data.labels=class.",
    )


def _classes(columns: Columns, where: _Where) -> Answers:
    if len(columns) > 1:
        raise DataError(
            f"{where.place}: one class a picture needs one column of labels, not {', '.join(columns)}. Set "
            "data.label_columns."
        )
    (cells,) = columns.values()
    names = tuple(sorted(set(cells), key=natural_key))
    number = {name: i for i, name in enumerate(names)}
    return Answers("class", names, np.array([number[cell] for cell in cells], np.int64))


def _labels(columns: Columns, where: _Where) -> Answers:
    if len(columns) > 1:
        for name, cells in columns.items():
            wrong = next((i for i, cell in enumerate(cells) if cell not in ("0", "1")), None)
            if wrong is not None:
                raise DataError(
                    f"{where.row(wrong)}: {cells[wrong]!r} in column {name!r}; a column of labels holds 0 and 1."
                )
        return Answers(
            "labels",
            tuple(columns),
            np.array([[int(c) for c in cells] for cells in columns.values()], np.uint8).T.copy(),
        )
    (cells,) = columns.values()
    sets = [_split(cell) for cell in cells]
    names = tuple(sorted(set().union(*sets), key=natural_key))
    if not names:
        raise DataError(f"{where.place}: no picture has a label.")
    return Answers("labels", names, np.array([[name in one for name in names] for one in sets], np.uint8))


def _numbers(columns: Columns, where: _Where) -> Answers:
    targets = np.empty((len(where.lines), len(columns)), np.float32)
    for j, (name, cells) in enumerate(columns.items()):
        for i, cell in enumerate(cells):
            number = _number(cell)
            if number is None:
                raise DataError(
                    f"{where.row(i)}: {cell!r} in column {name!r} is no number. Choose columns with data.label_columns."
                )
            targets[i, j] = number
    return Answers("numbers", tuple(columns), targets)


def _split(cell: str) -> set[str]:
    for mark in SEPARATORS[1:]:
        cell = cell.replace(mark, SEPARATORS[0])
    return {label.strip() for label in cell.split(SEPARATORS[0]) if label.strip()}


def _number(cell: str) -> float | None:
    """The finite number that a cell holds, or None."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _refuse_empty(columns: Columns, where: _Where) -> None:
    for name, cells in columns.items():
        if "" in cells:
            raise DataError(
                f"{where.row(cells.index(''))}: column {name!r} is empty ({cells.count('')} such rows). Fill "
                "it in or remove the "
                "row; where an empty cell means that none of several labels fits, set data.labels=labels."
            )
