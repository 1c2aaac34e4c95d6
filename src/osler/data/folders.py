"""Class folders: `photos/cat/1.jpg`, with or without `train/`, `val/` and `test/` above the classes.

A picture belongs to the topmost folder under the root (or under the part), however deep it lies. Hidden files are not
seen.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from osler.data.files import FileDataSet
from osler.data.parts import SPLIT_NAMES, Parts
from osler.data.pictures import PICTURE_EXTENSIONS, loose_pictures, pictures_under, subfolders
from osler.structures.errors import DataError


@dataclass(slots=True)
class _Listing:
    """What lies under one root: pictures by class, and pictures that no class folder holds."""

    root: Path
    classes: dict[str, list[str]] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    loose: int = 0


def has_class_folders(folder: Path) -> bool:
    """Whether some folder inside holds pictures."""
    return any(pictures_under(inner) for inner in subfolders(folder))


def read_folders(folder: Path) -> Parts:
    """The pictures of class folders, by part.

    Raises:
        DataError: there are no pictures, no class folders, or classes that training does not have.
    """
    listings = {part: _list(place) for part, place in _part_folders(folder).items()}
    train = listings["train"]
    if not train.classes:
        raise DataError(_nothing(train))
    names = tuple(train.classes)
    parts = Parts(folder.resolve().name, "class", names, _data_set(train, names))
    for part in ("validation", "test"):
        if part in listings and listings[part].classes:
            _refuse_unseen(listings[part], train)
            setattr(parts, part, _data_set(listings[part], names))
    for listing in listings.values():
        parts.notes += _notes(listing)
    return parts


def _part_folders(folder: Path) -> dict[str, Path]:
    """The folder of each part; all is training where there is no folder called train."""
    found: dict[str, Path] = {}
    for inner in subfolders(folder):
        part = SPLIT_NAMES.get(inner.name.lower())
        if part in found:
            raise DataError(
                f"{folder} has two folders for {part} pictures: {found[part].name}/ and {inner.name}/. Keep one."
            )
        if part is not None:
            found[part] = inner
    return found if "train" in found else {"train": folder}


def _list(root: Path) -> _Listing:
    listing = _Listing(root, loose=len(loose_pictures(root)))
    for inner in subfolders(root):
        pictures = pictures_under(inner)
        if pictures:
            listing.classes[inner.name] = pictures
        else:
            listing.empty.append(inner.name)
    return listing


def _data_set(listing: _Listing, names: tuple[str, ...]) -> FileDataSet:
    number = {name: i for i, name in enumerate(names)}
    pairs = [(path, number[name]) for name, pictures in listing.classes.items() for path in pictures]
    return FileDataSet([path for path, _ in pairs], np.array([answer for _, answer in pairs], np.int64))


def _refuse_unseen(listing: _Listing, train: _Listing) -> None:
    unseen = [name for name in listing.classes if name not in train.classes]
    if unseen:
        raise DataError(
            f"{listing.root} has pictures of {_few(unseen)}, which {train.root} does not have; "
            f"training knows {_few(list(train.classes))}. Give each class training pictures, or remove the folder."
        )


def _nothing(listing: _Listing) -> str:
    where = listing.root
    if listing.loose:
        return (
            f"{where} holds {listing.loose} pictures but no class folders. Put each picture into a folder named after "
            f"its class ({where}/cat/1.jpg), or list pictures and labels in a CSV file and give its path."
        )
    endings = ", ".join(PICTURE_EXTENSIONS)
    return f"{where} holds no pictures. Pictures are files that end in {endings}, in a folder for each class."


def _notes(listing: _Listing) -> list[str]:
    notes = []
    if listing.empty:
        notes.append(f"{listing.root}: no pictures in {_few(listing.empty)}; left out.")
    if listing.loose:
        notes.append(f"{listing.root}: {listing.loose} pictures lie outside the class folders and are not used.")
    return notes


def _few(names: list[str], show: int = 6) -> str:
    rest = f" and {len(names) - show} more" if len(names) > show else ""
    return ", ".join(names[:show]) + rest
