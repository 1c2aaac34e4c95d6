"""Which form of annotations lies at a path."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from osler.data.objects.coco import read_coco, read_coco_file
from osler.data.objects.object_table import heads_objects
from osler.data.objects.picture_folder import HOLD_PICTURES
from osler.data.objects.voc import has_voc, read_voc
from osler.data.objects.yolo import find_yolo, read_yolo
from osler.data.parts import SPLIT_NAMES, Parts
from osler.data.pictures import hidden, loose_pictures, pictures_under, subfolders
from osler.structures.errors import DataError

EXPORTED = "_annotations.coco.json"  # the name under which several tools export
HEAD = 4096  # bytes of a JSON file that show whether it is COCO's


def recognise_objects(folder: Path, tables: Sequence[Path] = ()) -> str | None:
    """coco, voc or yolo where a folder holds such annotations; None where it holds none, or in `tables` alone.

    Raises:
        DataError: it holds several kinds, so that which is meant cannot be told.
    """
    found = {
        "coco": bool(find_coco(folder)),
        "voc": has_voc(folder),
        "yolo": find_yolo(folder) is not None,
    }
    kinds = [kind for kind, there in found.items() if there]
    if kinds and any(map(heads_objects, tables)):
        kinds.append("csv")
    if len(kinds) > 1:
        raise DataError(
            f"{folder} holds annotations in several forms ({', '.join(kinds)}). Say which is meant with "
            f"data.format={kinds[0]}."
        )
    return kinds[0] if kinds else None


def read_objects(form: str, place: Path, pictures: str) -> Parts:
    """The data of one form: coco, voc or yolo.

    Raises:
        DataError: it is not there, or cannot be read.
    """
    if form == "coco":
        files = {"train": place} if place.is_file() else find_coco(place)
        if not files:
            raise DataError(
                f"{place} holds no COCO annotations: annotations/instances_train.json, a {EXPORTED} in the folder of "
                "each part, or one JSON file whose path you give, are expected."
            )
        return read_coco(files, _name(place), pictures=pictures, place=place)
    if form == "yolo":
        found = place if place.is_file() else find_yolo(place)
        if found is None:
            raise DataError(f"{place} holds no YOLO set: a data.yaml, or images/ and labels/ side by side.")
        return read_yolo(found)
    if not place.is_dir():
        raise DataError(f"{place} is a file; data.format=voc needs the folder that holds Annotations/.")
    return read_voc(place)


def refuse_broken_json(folder: Path) -> None:
    """Refuses a folder whose annotations are probably in a JSON file that is none, or is no COCO.

    Raises:
        DataError: a JSON file in annotations/, or the only one beside pictures, has another shape.
    """
    beside = _json_in(folder)
    holders = [folder, *(folder / name for name in HOLD_PICTURES)]
    meant = _json_in(folder / "annotations")
    if len(beside) == 1 and any(loose_pictures(place) for place in holders if place.is_dir()):
        meant += beside
    classes = [f for f in subfolders(folder) if not _holds_a_part(f.name) and pictures_under(f)]
    if not meant or len(classes) > 1:
        return
    try:
        read_coco_file(meant[0])
    except DataError as error:
        raise DataError(
            f"{error} It is taken for the pictures' annotations; data.format=folders ignores it."
        ) from error


def _holds_a_part(name: str) -> bool:
    return name in HOLD_PICTURES or name.lower().rstrip("0123456789") in SPLIT_NAMES


def _name(place: Path) -> str:
    return place.stem if place.is_file() else place.resolve().name


def find_coco(folder: Path) -> dict[str, Path]:
    """The COCO file of each part in a folder; empty where there is none.

    Raises:
        DataError: several files are for one part.
    """
    exported = {part: place / EXPORTED for part, place in _part_folders(folder) if (place / EXPORTED).is_file()}
    if exported:
        return exported if "train" in exported else {}
    for place in (folder / "annotations", folder):
        there = _json_in(place)
        files = [f for f in there if looks_like_coco(f)]
        if files:  # a damaged one is read too, and then refused: without it, another part would train
            files = [f for f in there if f in files or f.name.startswith("instances")]
        instances = [f for f in files if f.name.startswith("instances")] or files
        if instances:
            return _by_part(instances)
    return {}


def _part_folders(folder: Path) -> Iterator[tuple[str, Path]]:
    yield "train", folder
    for inner in subfolders(folder):
        part = SPLIT_NAMES.get(inner.name.lower())
        if part is not None:
            yield part, inner


def _json_in(folder: Path) -> list[Path]:
    return sorted(f for f in folder.glob("*.json") if not hidden(f.name) and f.is_file()) if folder.is_dir() else []


def looks_like_coco(path: Path) -> bool:
    """Whether a JSON file's beginning or end names COCO's lists."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
            file.seek(max(0, path.stat().st_size - HEAD))
            ends = head + file.read(HEAD)
    except OSError:
        return False
    keys = (b'"images"', b'"annotations"', b'"categories"')
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and any(key in ends for key in keys)


def _by_part(files: list[Path]) -> dict[str, Path]:
    if len(files) == 1:
        return {"train": files[0]}
    found: dict[str, Path] = {}
    for file in files:
        part = _part_of(file)
        if part is None:
            continue
        if part in found:
            raise DataError(
                f"{found[part]} and {file.name} both seem to be {part} annotations; give the path of one, or move one "
                "elsewhere."
            )
        found[part] = file
    if "train" not in found:
        names = ", ".join(f.name for f in files[:6])
        raise DataError(f"{files[0].parent} holds {names}; which is for training? Name one instances_train.json.")
    return found


def _part_of(file: Path) -> str | None:
    """The part that a file's name says: instances_train2017.json."""
    words = file.stem.lower().replace("-", "_").replace(".", "_").split("_")
    return next((SPLIT_NAMES[w] for w in (word.rstrip("0123456789") for word in words) if w in SPLIT_NAMES), None)
