"""A CSV with a line an object: the picture's path, the corners of the box, and the class, each in a column by its name.

Corners are pixels, x2 and y2 exclusive, counted from 0. A picture is on as many lines as it has objects; a line with a
path and nothing else is a picture without objects. Columns called split, difficult and crowd are read where they are.
"""

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from osler.data.objects.box_checks import RawObject
from osler.data.objects.gathered import Gathered, to_parts
from osler.data.objects.plain_json import NO, YES
from osler.data.parts import SPLIT_NAMES, Parts
from osler.data.pictures import natural_key
from osler.data.plain_text import is_plain, shown
from osler.data.recipe import DataSection
from osler.data.source import ObjectFault
from osler.data.table import Table, parse_table
from osler.structures.errors import DataError

CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"))
PATHS = ("path", "image", "filename", "file", "file_name", "image_path", "picture", "image_id")
CLASSES = ("label", "class", "name", "category", "class_name", "label_name")
SIDES = (("x", "y"), ("x1", "y1"), ("xmin", "ymin"), ("x_min", "y_min"), ("left", "top"), ("cx", "cy"))
SIZES = (("w", "h"), ("width", "height"))
LONGEST_HEAD = 65536  # characters of a first line


@dataclass(frozen=True, slots=True)
class _Columns:
    path: str
    corners: tuple[str, ...]
    label: str
    others: Mapping[str, str]  # split, difficult, crowd -> the column so called


def lists_objects(table: Table) -> bool:
    """Whether a table has corners and a class in columns called so."""
    names = [name.lower() for name in table.columns]
    return any(set(four) <= set(names) for four in CORNERS) and any(name in names for name in CLASSES)


def refuse_sizes(table: Table) -> None:
    """Refuses boxes that are given by a point and a size: whether it is a corner or the middle, nobody says.

    Raises:
        DataError: the table has such columns and a class.
    """
    names = [name.lower() for name in table.columns]
    point = next((two for two in SIDES if set(two) <= set(names)), None)
    size = next((two for two in SIZES if set(two) <= set(names)), None)
    if point and size and any(name in names for name in CLASSES):
        raise DataError(
            f"{table.path} has boxes in the columns {', '.join((*point, *size))}; corners in x1, y1, x2, y2 (or xmin, "
            "ymin, xmax, ymax) are expected, in pixels. Where the columns are labels, name them in data.label_columns."
        )


def heads_objects(path: Path) -> bool:
    """Whether the first line of a table names corners and a class."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            head = file.readline(LONGEST_HEAD)
    except (OSError, UnicodeDecodeError):
        return False
    cells = re.split(r"[,;\t]", head.replace('"', ""))
    return lists_objects(Table(path, {cell.strip(): [] for cell in cells}, []))


def read_object_table(path: Path, section: DataSection) -> Parts:
    """The pictures and objects that a CSV lists.

    Raises:
        DataError: a column is missing, a cell cannot be read as it must be, or nothing can be used.
    """
    table = parse_table(path)
    columns = _columns(table, section)
    cells = table.column(columns.label)
    names = tuple(sorted({cell for cell in cells if cell and is_plain(cell)}, key=natural_key))
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, cell in enumerate(table.column(columns.path)):
        if not cell:
            raise DataError(f"{path}, line {table.lines[row]}: the path of the picture is empty.")
        rows_of[cell].append(row)
    found: dict[str, Gathered] = defaultdict(Gathered)
    found["train"] = Gathered()
    for cell, rows in rows_of.items():
        _read_one(cell, rows, table, columns, names, found)
    return to_parts(path.stem, names, found, place=path)


def _columns(table: Table, section: DataSection) -> _Columns:
    lower = {name.lower(): name for name in table.columns}
    corners = next((four for four in CORNERS if set(four) <= set(lower)), None)
    if corners is None:
        raise DataError(
            f"{table.path} has no columns x1, y1, x2, y2 (or xmin, ymin, xmax, ymax) of boxes. Its columns: "
            f"{', '.join(table.columns)}."
        )
    if len(section.label_columns) > 1:
        raise DataError(f"data.label_columns names {len(section.label_columns)} columns; an object has one class.")
    label = section.label_columns[0] if section.label_columns else _first(CLASSES, lower, table, "the class")
    image = section.image_column if section.image_column != "auto" else _first(PATHS, lower, table, "the path")
    table.column(label), table.column(image)  # an unknown name is refused with the nearest
    others: dict[str, str] = {name: lower[name] for name in ("split", "difficult", "crowd") if name in lower}
    return _Columns(image, tuple(lower[c] for c in corners), label, others)


def _first(known: Sequence[str], lower: Mapping[str, str], table: Table, what: str) -> str:
    for name in known:
        if name in lower:
            return lower[name]
    if what == "the path":
        return next(iter(table.columns))
    raise DataError(f"{table.path} has no column for {what}: call it {known[0]}, or set data.label_columns=[NAME].")


def _read_one(
    cell: str, rows: Sequence[int], table: Table, columns: _Columns, names: Sequence[str], found: dict[str, Gathered]
) -> None:
    path = table.path.parent / cell
    lines = [f"{table.path}, line {table.lines[row]}" for row in rows]
    parts = {_part(table, columns, row) for row in rows}
    if len(parts) > 1:
        raise DataError(f"{lines[0]}: {shown(cell)} is in more than one part: {', '.join(sorted(parts))}.")
    gathered = found[parts.pop()]
    if not os.path.isfile(path):  # no error for a name that no file can have
        gathered.missing(path, lines[0])
        return
    size = gathered.size_of(path)
    if size is None:
        return
    raws, faults = [], []
    for row, where in zip(rows, lines, strict=True):
        read = _raw(row, where, table, columns, names)
        if isinstance(read, ObjectFault):
            faults.append(read)
        elif read is not None:
            raws.append(read)
    gathered.add(path, size, raws, faults)


def _part(table: Table, columns: _Columns, row: int) -> str:
    if "split" not in columns.others:
        return "train"
    cell = table.column(columns.others["split"])[row]
    if cell.lower() not in SPLIT_NAMES:
        allowed = ", ".join(SPLIT_NAMES)
        raise DataError(
            f"{table.path}, line {table.lines[row]}: {shown(repr(cell))} in column 'split'; allowed: {allowed}."
        )
    return SPLIT_NAMES[cell.lower()]


def _raw(row: int, where: str, table: Table, columns: _Columns, names: Sequence[str]) -> RawObject | ObjectFault | None:
    cells = [table.column(name)[row] for name in columns.corners]
    label = table.column(columns.label)[row]
    if not label and not any(cells):
        return None
    if not label:
        return ObjectFault("no class", where, f"{where}: there is a box and no class.")
    if not is_plain(label):
        return ObjectFault("no class", where, f"{where}: the class {shown(label)} cannot be shown.")
    try:
        x1, y1, x2, y2 = (float(cell) for cell in cells)
    except ValueError:
        listed = ", ".join(shown(cell, 40) or "(empty)" for cell in cells)
        return ObjectFault("no box", where, f"{where}: the corners are {listed}; four numbers are expected.")
    difficult, crowd = (_flag(row, table, columns, name) for name in ("difficult", "crowd"))
    return RawObject(where, (x1, y1, x2, y2), names.index(label), crowd=crowd, difficult=difficult)


def _flag(row: int, table: Table, columns: _Columns, name: str) -> bool:
    if name not in columns.others:
        return False
    cell = table.column(columns.others[name])[row].lower()
    if cell not in YES + NO:
        raise DataError(
            f"{table.path}, line {table.lines[row]}: {shown(repr(cell))} in column {name!r}; 0 or 1 is expected."
        )
    return cell in YES
