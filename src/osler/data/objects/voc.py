"""Pascal VOC's XML: a file a picture, in `Annotations/` with `JPEGImages/` and `ImageSets/Main/`, or beside the picture.

VOC counts pixels from 1 and its last pixel belongs to the box (Everingham et al. 2010, the development kit). Ours count
edges from 0: xmin - 1, ymin - 1, xmax, ymax. A box from pixel 5 to pixel 5 is one pixel wide. Written back, the numbers
are the same to the last digit. One exception: a box that begins and ends at one and the same pixel is a click that
missed, not an object of one pixel, and has no area.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from osler.data.objects.box_checks import RawObject, Size, size_fault, usable_size
from osler.data.objects.gathered import Gathered, to_parts
from osler.data.objects.object_files import ObjectFiles
from osler.data.objects.outlines import Box
from osler.data.objects.picture_folder import PictureFolder
from osler.data.objects.plain_xml import Element, read_xml
from osler.data.parts import SPLIT_NAMES, Parts
from osler.data.pictures import hidden, loose_pictures, natural_key, subfolders
from osler.data.plain_text import is_plain, read_text, shown
from osler.data.source import ObjectFault, Skipped
from osler.structures.errors import DataError

CORNERS = ("xmin", "ymin", "xmax", "ymax")
LOOKED_AT = 20  # files by which XML in a folder is recognised


@dataclass(slots=True)
class _Listing:
    """The annotation files of a part, and where their pictures are."""

    folder: PictureFolder
    files: list[Path] = field(default_factory=list)
    listed: str = ""  # the list that names them
    used: set[Path] = field(default_factory=set)  # pictures that were annotated


def has_voc(folder: Path) -> bool:
    """Whether XML annotations lie in a folder: VOC's own layout, or beside the pictures, or so in folders by part."""
    return bool(_roots(folder))


def read_voc(folder: Path) -> Parts:
    """The pictures and objects of a VOC data set.

    Raises:
        DataError: there are no annotations, or none can be used.
    """
    notes: list[str] = []
    listings = _listings(folder, notes)
    names: dict[str, int] = {}
    found = {}
    for part, listing in listings.items():
        found[part] = gathered = Gathered()
        for file in listing.files:
            _read_one(file, listing, names, gathered)
    if not any(listing.listed for listing in listings.values()):
        notes += _not_annotated(list(listings.values()))
    parts = to_parts(folder.resolve().name, tuple(names), found, notes, place=folder)
    return _sorted_names(parts)


def _not_annotated(listings: Sequence[_Listing]) -> list[str]:
    """A note for the pictures that lie among the annotated ones and have no XML."""
    used = {path for listing in listings for path in listing.used}
    lying = [Path(p) for folder in dict.fromkeys(p.parent for p in used) for p in loose_pictures(folder)]
    without = [path for path in lying if path not in used]
    if not without:
        return []
    return [f"{len(without)} pictures have no XML and are not used (the first: {shown(without[0])})."]


def _sorted_names(parts: Parts) -> Parts:
    """Classes in natural order, so that their numbers do not hang on which file was read first."""
    ordered = sorted(parts.names, key=natural_key)
    places = np.array([ordered.index(n) for n in parts.names])
    for part, data in parts.given().items():
        assert isinstance(data, ObjectFiles)
        setattr(parts, part, data.relabelled(places, len(ordered)))
    parts.names = tuple(ordered)
    return parts


def _xml_in(folder: Path) -> list[Path]:
    return sorted(
        (f for f in folder.glob("*.xml") if not hidden(f.name) and f.is_file()), key=lambda f: natural_key(f.name)
    )


def _roots(folder: Path) -> dict[str, Path]:
    """The folder of annotations of each part; all is `train` where nothing says otherwise."""
    if (folder / "Annotations").is_dir() and _xml_in(folder / "Annotations"):
        return {"train": folder / "Annotations"}
    by_part = {}
    for inner in subfolders(folder):
        part = SPLIT_NAMES.get(inner.name.lower())
        if part is not None and _annotates(inner):
            by_part[part] = inner
    if by_part:
        return by_part
    return {"train": folder} if _annotates(folder) else {}


def _annotates(folder: Path) -> bool:
    """Whether the XML in a folder is about pictures, by the beginnings of the first files: one may be damaged."""
    return any(map(_is_annotation, _xml_in(folder)[:LOOKED_AT]))


def _is_annotation(path: Path) -> bool:
    with open(path, "rb") as file:
        return b"<annotation" in file.read(4096)


def _listings(folder: Path, notes: list[str]) -> dict[str, _Listing]:
    roots = _roots(folder)
    if not roots:
        raise DataError(f"{folder} holds no XML annotations: VOC's are in Annotations/, or beside the pictures.")
    sets = folder / "ImageSets" / "Main"
    if (folder / "Annotations").is_dir() and sets.is_dir():
        found = _by_lists(folder, sets, notes)
        if found:
            return found
    listings = {}
    for part, root in roots.items():
        holders = [root.parent / "JPEGImages", root, root.parent / "images", root.parent]
        places = [place for place in holders if place.is_dir()]
        listings[part] = _Listing(PictureFolder(places[0], tuple(places[1:])), _xml_in(root))
    return listings


def _by_lists(folder: Path, sets: Path, notes: list[str]) -> dict[str, _Listing]:
    """The parts that train.txt, val.txt and test.txt name; trainval.txt where there is no train.txt."""
    names = {"train": "train.txt", "validation": "val.txt", "test": "test.txt"}
    if not (sets / "train.txt").is_file():
        names = {"train": "trainval.txt", "test": "test.txt"}
    pictures = PictureFolder(folder / "JPEGImages", (folder,))
    listings, used = {}, set()
    for part, name in names.items():
        path = sets / name
        stems = _stems(path) if path.is_file() else []
        if stems:
            files = [folder / "Annotations" / f"{stem}.xml" for stem in stems]
            listings[part] = _Listing(pictures, files, str(path))
            used.update(files)
    unused = [f for f in _xml_in(folder / "Annotations") if f not in used]
    if listings and unused:
        notes.append(f"{len(unused)} annotated pictures are in none of the lists of {sets}, and are not used.")
    return listings if "train" in listings else {}


def _stems(path: Path) -> list[str]:
    """The first word of each line; VOC's lists for one class have 1 or -1 behind it."""
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    return list(dict.fromkeys(line if _lists_one(path, line) else line.split()[0] for line in lines))


def _lists_one(path: Path, line: str) -> bool:
    """Whether a whole line of a list, which may hold blanks, is the name of an annotation."""
    return " " in line and os.path.isfile(path.parents[2] / "Annotations" / f"{line}.xml")


def _read_one(file: Path, listing: _Listing, names: dict[str, int], gathered: Gathered) -> None:
    if not os.path.isfile(file):
        reason = f"{listing.listed} lists {shown(file.stem)}, but there is no {shown(file)}"
        gathered.skipped.append(Skipped(shown(file), reason))
        return
    # The file's own name first: what <filename> says is often of another machine, or of before a renaming.
    path = listing.folder.with_stem(file.stem)
    if path is not None:
        listing.used.add(path)
    try:
        root = read_xml(file)
    except DataError as error:
        gathered.skipped.append(Skipped(str(file), str(error)))
        return
    if root.name != "annotation":
        reason = f"{file} begins with <{shown(root.name)}>; VOC's annotations begin with <annotation>"
        gathered.skipped.append(Skipped(str(file), reason))
        return
    name = (root.value("filename") or "").strip()
    path = path or (listing.folder.find(name) if name else None)
    if path is None:
        gathered.missing(listing.folder.first / (name or f"{file.stem}.jpg"), str(file))
        return
    listing.used.add(path)
    faults: list[ObjectFault] = []
    size = _size(root, file, faults) or gathered.size_of(path)
    if size is None:
        return
    raws = [raw for thing in root.all("object") if (raw := _raw(thing, file, names, faults)) is not None]
    gathered.add(path, size, raws, faults)


def _size(root: Element, file: Path, faults: list[ObjectFault]) -> Size | None:
    height, width = (root.value("size", side) for side in ("height", "width"))
    if not height and not width:
        return None
    size = usable_size(_number(height), _number(width))
    if size is None:
        faults.append(size_fault(str(file), height, width))
    return size


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _raw(thing: Element, file: Path, names: dict[str, int], faults: list[ObjectFault]) -> RawObject | None:
    where = f"{file}, line {thing.line}"
    name = thing.value("name")
    if not name:
        faults.append(ObjectFault("no class", where, f"{where}: the object has no name."))
        return None
    if not is_plain(name):
        faults.append(ObjectFault("no class", where, f"{where}: the name {shown(name)} cannot be shown."))
        return None
    corners = thing.find("bndbox")
    if corners is None:
        faults.append(ObjectFault("no box", where, f"{where}: the object has no bndbox."))
        return None
    box = from_voc(*(_number(corners.value(corner)) for corner in CORNERS))
    difficult = thing.value("difficult") in ("1", "true", "True")
    return RawObject(where, box, names.setdefault(name, len(names)), difficult=difficult)


def from_voc(xmin: float, ymin: float, xmax: float, ymax: float) -> Box:
    """Our box from VOC's pixels; without area where it begins and ends at one pixel."""
    if xmin == xmax and ymin == ymax:
        return xmin - 1, ymin - 1, xmin - 1, ymin - 1
    return xmin - 1, ymin - 1, xmax, ymax


def to_voc(box: Box) -> tuple[float, float, float, float]:
    """VOC's pixels from our box."""
    x1, y1, x2, y2 = box
    return x1 + 1, y1 + 1, x2, y2
