"""A CSV of pictures and labels: a path in one column, and in the others a class, several labels, or numbers.

Paths are relative to the file's own folder. A column called `split`, where there is one that is not asked for as a
label, says train, val or test for each picture.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osler.data.answers import Answers, answers_of
from osler.data.files import FileDataSet
from osler.data.parts import SPLIT_NAMES, Parts
from osler.data.plain_text import shown
from osler.data.recipe import DataSection
from osler.data.source import Skipped
from osler.structures.errors import DataError
from osler.structures.registry import nearest


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a CSV file as text, by column, and the line on which each row begins."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        """The cells of a column.

        Raises:
            DataError: there is no such column; the nearest name is offered.
        """
        if name not in self.columns:
            close = nearest(name, self.columns)
            hint = f" Did you mean {close!r}?" if close else ""
            raise DataError(f"{self.path} has no column {name!r}.{hint} Its columns: {', '.join(self.columns)}.")
        return self.columns[name]


def read_table(path: Path, section: DataSection) -> Parts:
    """The pictures that a CSV lists, with their labels; listed pictures that do not exist are skipped and named.

    Raises:
        DataError: a column is missing, labels are missing or mixed, or too many pictures do not exist.
    """
    table = parse_table(path)
    image_column = next(iter(table.columns)) if section.image_column == "auto" else section.image_column
    cells = table.column(image_column)
    split_column = _split_column(table, image_column, section)
    chosen = section.label_columns or tuple(c for c in table.columns if c not in (image_column, split_column))
    if not chosen:
        raise DataError(f"{path} has no column of labels beside {image_column!r}.")
    kind = section.labels
    assert kind != "objects", "read_object_table's"
    answers = answers_of({name: table.column(name) for name in chosen}, kind, place=path, lines=table.lines)
    paths, there, skipped = _locate(cells, table, section)
    membership = _membership(table, split_column)
    return _parts(path, answers, paths, there, membership, skipped)


def parse_table(path: Path) -> Table:
    """The cells of a CSV file in UTF-8, separated by comma, semicolon or tab (whichever its first line has most of).

    Raises:
        DataError: the file cannot be read as such a table.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=head.count), strict=True)
            numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8 ({error}).") from error
    numbered = [(line, row) for line, row in numbered if any(row)]
    if len(numbered) < 2:
        raise DataError(f"{path} holds no rows: a line of column names, then a line for each picture, are expected.")
    names, rows = numbered[0][1], numbered[1:]
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns of one name: {', '.join(names)}.")
    for line, row in rows:
        if len(row) != len(names):
            raise DataError(f"{path}, line {line}: {len(row)} cells where the first line has {len(names)}.")
    columns = {name: [row[i] for _, row in rows] for i, name in enumerate(names)}
    return Table(path, columns, [line for line, _ in rows])


def _split_column(table: Table, image_column: str, section: DataSection) -> str | None:
    for name in table.columns:
        if name.lower() == "split" and name != image_column and name not in section.label_columns:
            return name
    return None


def _membership(table: Table, split_column: str | None) -> np.ndarray:
    """The part of each row: train, validation or test."""
    if split_column is None:
        return np.full(len(table.lines), "train", dtype="U10")
    parts = []
    for cell, line in zip(table.column(split_column), table.lines, strict=True):
        if cell.lower() not in SPLIT_NAMES:
            raise DataError(
                f"{table.path}, line {line}: {cell!r} in column {split_column!r}; allowed: {', '.join(SPLIT_NAMES)}."
            )
        parts.append(SPLIT_NAMES[cell.lower()])
    return np.array(parts, dtype="U10")


def _locate(cells: list[str], table: Table, section: DataSection) -> tuple[list[str], np.ndarray, list[Skipped]]:
    """The path of each row, whether a file is there, and the ones where none is."""
    folder = table.path.parent
    for cell, line in zip(cells, table.lines, strict=True):
        if not cell:
            raise DataError(f"{table.path}, line {line}: the path of the picture is empty.")
    paths = [str(folder / cell) for cell in cells]
    there = np.array([os.path.isfile(path) for path in paths])  # no error for a name that no file can have
    missing = np.flatnonzero(~there).tolist()
    skipped = [
        Skipped(shown(paths[i]), f"listed in {table.path.name}, line {table.lines[i]}, but there is no such file")
        for i in missing
    ]
    if len(missing) > section.unreadable * len(paths):
        first = ", ".join(shown(cells[i]) for i in missing[:3])
        raise DataError(
            f"{len(missing)} of the {len(paths)} pictures that {table.path} lists do not exist, e.g. {first}. "
            f"Paths are taken from the file's own folder, {folder.resolve()}."
        )
    return paths, there, skipped


def _parts(
    path: Path, answers: Answers, paths: list[str], there: np.ndarray, membership: np.ndarray, skipped: list[Skipped]
) -> Parts:
    data = FileDataSet(paths, answers.targets)
    rows = {part: np.flatnonzero(there & (membership == part)) for part in ("train", "validation", "test")}
    if len(rows["train"]) == 0:
        raise DataError(f"{path} lists no pictures for training.")
    parts = Parts(
        path.stem, answers.kind, answers.names, data.select(rows["train"]), skipped=skipped, notes=list(answers.notes)
    )
    for part in ("validation", "test"):
        if len(rows[part]):
            setattr(parts, part, data.select(rows[part]))
    return parts
