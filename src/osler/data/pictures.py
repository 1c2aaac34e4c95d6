"""Which files are pictures, in which order they come, and how they are found under a folder."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

PICTURE_EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif"),
    *(".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""A file is taken for a picture when its name ends so, in whatever case."""


def natural_key(name: str) -> tuple[list[str | int], str]:
    """A sorting key under which numbers inside names count as numbers: `class2` before `class10`."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)], name


def hidden(name: str) -> bool:
    """Whether the system hides the file (`.DS_Store`) or made it for itself (`__MACOSX`)."""
    return name.startswith(".") or name == "__MACOSX"


def is_picture(name: str) -> bool:
    """Whether a file's name says that it is a picture."""
    return not hidden(name) and name.lower().endswith(PICTURE_EXTENSIONS)


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in a folder (links to folders too), in natural order."""
    found = [f for f in folder.iterdir() if not hidden(f.name) and f.is_dir()]
    return sorted(found, key=lambda f: natural_key(f.name))


def loose_pictures(folder: Path) -> list[str]:
    """The pictures that lie in a folder itself, in natural order."""
    names = [entry.name for entry in os.scandir(folder) if is_picture(entry.name) and entry.is_file()]
    return [str(folder / name) for name in sorted(names, key=natural_key)]


def pictures_under(folder: Path) -> list[str]:
    """The pictures in a folder and all folders below it, in natural order; links are followed, each folder once."""
    return [path for place in _folders_under(folder, set()) for path in loose_pictures(place)]


def _folders_under(folder: Path, seen: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in seen:  # a link back to a folder above would never end
        return
    seen.add(real)
    yield folder
    for inner in subfolders(folder):
        yield from _folders_under(inner, seen)
