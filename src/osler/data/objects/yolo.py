"""YOLO's text files: a line an object, its class and then shares of the picture's width and height.

Five numbers are a class and a box (the middle's x and y, width, height); seven or more an outline's points. The text of
`images/train/1.jpg` is `labels/train/1.txt`; a picture without one has no objects. A YAML file names the classes and
the folders (or lists) of each part; without one, `classes.txt` beside the labels may name the classes.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osler.data.objects.box_checks import RawObject, Size
from osler.data.objects.gathered import Gathered, to_parts
from osler.data.objects.outlines import Polygons
from osler.data.objects.plain_yaml import read_yaml
from osler.data.objects.yolo_classes import names_of_list, names_of_yaml, numbered_names
from osler.data.parts import SPLIT_NAMES, Parts
from osler.data.pictures import is_picture, loose_pictures, pictures_under, subfolders
from osler.data.plain_text import read_text, shown
from osler.data.source import ObjectFault
from osler.structures.errors import DataError

ROUNDING = 1e-3  # by which a share may lie outside 0 to 1 unremarked
MEANT = ("data", "dataset")  # names of a YAML file that describes a set


@dataclass(frozen=True, slots=True)
class YoloSet:
    """The classes, and the pictures of each part."""

    names: tuple[str, ...]
    pictures: dict[str, list[Path]]


def find_yolo(folder: Path) -> Path | None:
    """The YAML file of a YOLO set, or its folder where `images` and `labels` lie side by side; None for neither.

    Raises:
        DataError: a YAML file that is meant to name the classes cannot be read.
    """
    side_by_side = (folder / "images").is_dir() and (folder / "labels").is_dir()
    side_by_side = side_by_side and any((folder / "labels").rglob("*.txt"))
    damaged: list[tuple[Path, DataError]] = []
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            content = read_yaml(path)
        except DataError as error:
            damaged.append((path, error))
            continue
        if isinstance(content, dict) and "names" in content and "train" in content:
            return path
        if side_by_side and path.stem in MEANT:
            return path  # which will be refused with what it lacks
    for path, wrong in damaged:
        if side_by_side or path.stem in MEANT:
            raise wrong
    return folder if side_by_side else None


def read_yolo(place: Path) -> Parts:
    """The pictures and objects of a YOLO set, from its YAML file or its folder.

    Raises:
        DataError: the YAML has another shape, a part's pictures are missing, or nothing can be used.
    """
    found = _from_yaml(place) if place.is_file() else _from_folders(place)
    name = place.parent.resolve().name if place.is_file() else place.resolve().name
    parts = {}
    for part, pictures in found.pictures.items():
        parts[part] = gathered = Gathered()
        for path in pictures:
            _read_one(path, found.names, gathered)
    return to_parts(name, found.names, parts, _without_picture(found), place=place)


def _without_picture(found: YoloSet) -> list[str]:
    """A note for the texts with objects whose picture is not there."""
    folders = dict.fromkeys(p.parent for pictures in found.pictures.values() for p in pictures)
    lone: list[Path] = []
    for folder in folders:
        labels = label_file(folder / "1.jpg").parent
        if folder.is_dir() and labels.is_dir():
            stems = {Path(p).stem for p in loose_pictures(folder)}
            lone += [text for text in sorted(labels.glob("*.txt")) if text.stem not in stems and _has_objects(text)]
    if not lone:
        return []
    return [f"{len(lone)} texts have no picture and are not used (the first: {shown(lone[0])})."]


def _has_objects(text: Path) -> bool:
    """Whether a text begins as YOLO's do: other texts may lie beside them."""
    words = next(iter(text.read_text("utf-8-sig", errors="replace").splitlines()), "").split()
    try:
        return len([float(word) for word in words]) >= 5
    except ValueError:
        return False


def _from_yaml(path: Path) -> YoloSet:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise DataError(f"{path} is no YAML mapping; YOLO's names the classes (names) and the pictures (train, val).")
    names = names_of_yaml(content, path)
    root = path.parent / str(content.get("path") or "")
    pictures: dict[str, list[Path]] = {}
    for key, entry in content.items():
        part = SPLIT_NAMES.get(str(key).lower())
        if part is not None and entry:
            entries = entry if isinstance(entry, list) else [entry]
            pictures[part] = [p for one in entries for p in _listed(str(one), root, path)]
    if "train" not in pictures:
        raise DataError(f"{path} does not say where the training pictures are (train: images/train).")
    return YoloSet(names, pictures)


def _listed(entry: str, root: Path, yaml_path: Path) -> list[Path]:
    """The pictures of a folder or a list; exporters write paths for other machines, so the YAML's own folder is tried."""
    tries = [root / entry, yaml_path.parent / entry, yaml_path.parent / entry.removeprefix("../").lstrip("/")]
    for place in tries:
        if os.path.isdir(place):
            return [Path(p) for p in pictures_under(place)]
        if os.path.isfile(place):
            lines = [line.strip() for line in read_text(place).splitlines()]
            return [_of_list(line, place.parent, root) for line in lines if line]
    looked = " or ".join(dict.fromkeys(shown(place) for place in tries[:2]))
    raise DataError(f"{yaml_path} names {shown(entry)}, and there is no such folder or list at {looked}.")


def _of_list(line: str, here: Path, root: Path) -> Path:
    return next((p for p in (here / line, root / line) if os.path.isfile(p)), here / line)


def _from_folders(folder: Path) -> YoloSet:
    images, labels = folder / "images", folder / "labels"
    by_part = {part: f for f in subfolders(images) if (part := SPLIT_NAMES.get(f.name.lower())) is not None}
    folders = by_part if "train" in by_part else {"train": images}
    pictures = {part: [Path(p) for p in pictures_under(place)] for part, place in folders.items()}
    for place in (folder / "classes.txt", labels / "classes.txt", folder / "obj.names"):
        if place.is_file():
            return YoloSet(names_of_list(place), pictures)
    return YoloSet(numbered_names(labels), pictures)


def label_file(picture: Path) -> Path:
    """The text of a picture: under `labels` where it lies under `images`, else beside it."""
    folders = list(picture.parent.parts)
    for place in range(len(folders) - 1, -1, -1):
        if folders[place] == "images":
            folders[place] = "labels"
            return Path(*folders) / f"{picture.stem}.txt"
    return picture.with_suffix(".txt")


def _read_one(path: Path, names: Sequence[str], gathered: Gathered) -> None:
    if not os.path.isfile(path) or not is_picture(path.name):
        gathered.missing(path, "listed for YOLO")
        return
    size = gathered.size_of(path)
    if size is None:
        return
    text = label_file(path)
    raws: list[RawObject] = []
    faults: list[ObjectFault] = []
    if text.is_file():
        lines = text.read_text("utf-8-sig", errors="replace").splitlines()
        for number, line in enumerate(lines, 1):
            if line.strip():
                found = _raw(line.split(), f"{text}, line {number}", names, size)
                if isinstance(found, ObjectFault):
                    faults.append(found)
                else:
                    raws.append(found)
    gathered.add(path, size, raws, faults)


def _raw(words: list[str], where: str, names: Sequence[str], size: Size) -> RawObject | ObjectFault:
    def fault(name: str, reason: str) -> ObjectFault:
        return ObjectFault(name, where, f"{where}: {reason}")

    try:
        label, *values = map(float, words)
    except ValueError:
        return fault("malformed line", f"{shown(repr(' '.join(words)), 80)} holds something that is no number.")
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        reason = f"{len(words)} numbers; 5 are a class and a box, 7, 9, 11, ... a class and an outline's points"
        hint = ", and 6 a prediction with its confidence, which is no annotation." if len(words) == 6 else "."
        return fault("malformed line", reason + hint)
    if not label.is_integer() or not 0 <= label < len(names):
        return fault("unknown category", f"class {shown(words[0], 40)} of {len(names)}, which are numbered from 0.")
    if not all(math.isfinite(v) for v in values):
        return fault("not a number", "it holds a value that is no finite number.")
    if max(values) > 1 + ROUNDING or min(values) < -ROUNDING:
        worst = max(values, key=lambda v: abs(v - 0.5))
        return fault("not a share", f"{worst:g} is no share of the picture's side (0 to 1); pixels, perhaps?")
    height, width = size
    if len(values) > 4:
        ring = np.array(values, np.float64).reshape(-1, 2) * (width, height)
        outline = Polygons((ring.astype(np.float32),))
        return RawObject(where, outline.box(), int(label), outline)
    x, y, wide, tall = values[0] * width, values[1] * height, values[2] * width, values[3] * height
    return RawObject(where, (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2), int(label))
