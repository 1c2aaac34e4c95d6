"""From the `data` section of a recipe to a DataSource: what lies there is recognised, read, divided and looked at."""

from collections.abc import Sequence
from pathlib import Path

from osler.data.assembling import assemble, refuse_unlearnable
from osler.data.cifar import find_cifar, read_cifar
from osler.data.folders import has_class_folders, read_folders
from osler.data.idx import has_idx, read_idx_folder
from osler.data.known import known_names, read_known, recognised_names
from osler.data.objects.gathered import refuse_mostly_faulty
from osler.data.objects.object_table import lists_objects, read_object_table, refuse_sizes
from osler.data.objects.recognising import read_objects, recognise_objects, refuse_broken_json
from osler.data.parts import Parts
from osler.data.pictures import hidden
from osler.data.recipe import DataSection
from osler.data.renumbering import renumber
from osler.data.source import DataSource
from osler.data.table import parse_table, read_table
from osler.structures.errors import DataError
from osler.structures.files import from_home
from osler.structures.registry import nearest


def open_data(section: DataSection, seed: int, *, names: Sequence[str] | None = None) -> DataSource:
    """The pictures and labels that a recipe names, in training, validation and test sets.

    Args:
        section: which data, and how it is divided.
        seed: of the division.
        names: what a trained model calls its outputs, where the data is to be judged by it: targets are numbered so,
            and data that nothing could be learnt from (one class, one picture) is accepted.

    Raises:
        DataError: the data is missing, damaged, or cannot be used; the message says what would be right.
        RecipeError: the section asks for an impossible division.
    """
    parts = read_parts(section)
    if parts.kind == "objects":
        refuse_mostly_faulty(parts, section.unreadable)
    if names is None:
        refuse_unlearnable(parts)
    else:
        parts = renumber(parts, names)
    return assemble(parts, section, seed)


def read_parts(section: DataSection) -> Parts:
    """The data as it lies there, in its owner's parts, neither checked nor divided."""
    path = from_home(section.path)
    form = section.format if section.format != "auto" else recognise(section.path)
    if form == "named":
        return read_known(section.path)
    if not path.exists():
        raise DataError(_missing(section.path))
    if form == "csv":
        return _read_csv(_csv_of(path), section)
    if form in ("coco", "voc", "yolo"):
        return read_objects(form, path, section.pictures)
    if not path.is_dir():
        raise DataError(f"{path} is a file; data.format={form} needs a folder.")
    if form == "folders":
        return read_folders(path)
    return read_cifar(path) if form == "cifar" else read_idx_folder(path, recognised_names(path))


def _read_csv(path: Path, section: DataSection) -> Parts:
    """A table of pictures, or of objects in them: it then has columns of corners and a class."""
    if section.labels == "objects" or (section.labels == "auto" and lists_objects(parse_table(path))):
        return read_object_table(path, section)
    if section.labels == "auto" and not section.label_columns:
        refuse_sizes(parse_table(path))
    return read_table(path, section)


def recognise(path: str) -> str:
    """The format of what lies at a path: folders, csv, idx, cifar, coco, voc, yolo, or named.

    Raises:
        DataError: nothing lies there, or nothing that is known.
    """
    place = from_home(path)
    if not place.exists():
        if path in known_names():
            return "named"
        raise DataError(_missing(path))
    if place.is_file():
        if place.suffix.lower() in (".csv", ".tsv", ".txt"):
            return "csv"
        if place.suffix.lower() in (".yaml", ".yml"):
            return "yolo"
        if place.suffix.lower() == ".json":
            return "coco"  # what is none is refused with what it lacks
        raise DataError(
            f"{path} is a file, but no CSV, no COCO JSON and no YOLO YAML. Give a folder of pictures, such a file, or a "
            "known set's name."
        )
    if find_cifar(place):
        return "cifar"
    if has_idx(place):
        return "idx"
    tables = _tables(place)
    objects = recognise_objects(place, tables)
    if objects is not None:
        return objects
    if len(tables) == 1 and not has_class_folders(place):
        return "csv"
    refuse_broken_json(place)
    return "folders"


def _tables(folder: Path) -> list[Path]:
    return [f for f in folder.iterdir() if f.suffix.lower() in (".csv", ".tsv") and f.is_file() and not hidden(f.name)]


def _csv_of(path: Path) -> Path:
    if path.is_file():
        return path
    tables = _tables(path)
    if len(tables) != 1:
        raise DataError(f"{path} holds {len(tables)} CSV files; give the path of the one that lists the pictures.")
    return tables[0]


def _missing(path: str) -> str:
    names = known_names()
    close = nearest(path, names)
    hint = f" Did you mean {close!r}?" if close else ""
    return f"There is nothing at {path}.{hint} Give a folder of pictures, a CSV file, or one of {', '.join(names)}."
