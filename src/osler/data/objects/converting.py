"""From one form of annotated pictures to another: COCO, VOC, YOLO, CSV.

Pictures are copied byte for byte (those that are drawn, not filed, are written as PNG), under names that are unique
over all parts. The annotations are written last, whole or not at all. What a form has no place for is counted and said.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from osler.data.objects.box_checks import Annotated, Size
from osler.data.objects.object_set import ObjectDataSet
from osler.data.objects.writing_coco import write_coco
from osler.data.objects.writing_table import write_object_table
from osler.data.objects.writing_voc import write_voc
from osler.data.objects.writing_yolo import write_yolo
from osler.data.objects.written import Picture, Written
from osler.data.parts import Parts
from osler.data.plain_text import is_plain, shown
from osler.data.source import Skipped
from osler.imaging.encode import write_image
from osler.imaging.header import UnreadableError, image_size
from osler.structures.errors import DataError

Form = Literal["coco", "voc", "yolo", "csv"]
Writer = Callable[[Path, Sequence[Picture], Sequence[str]], Written]

WRITERS: dict[str, Writer] = {"coco": write_coco, "voc": write_voc, "yolo": write_yolo, "csv": write_object_table}
SHORT = {"train": "train", "validation": "val", "test": "test"}
PICTURES = {"coco": "{part}", "voc": "JPEGImages", "yolo": "images/{part}", "csv": "pictures/{part}"}
"""In which folder a form's pictures of a part are."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written, and what could not be."""

    place: Path
    form: str
    pictures: dict[str, int]  # part -> pictures
    objects: int
    lost: list[str] = field(
        default_factory=list
    )  # sentences: what was left out or mended, or the form has no place for
    skipped: list[Skipped] = field(default_factory=list)  # pictures left out


def convert(parts: Parts, place: Path, form: Form) -> Converted:
    """Writes a set of pictures with objects in another form.

    Args:
        parts: the set, in its owner's parts; it is not divided.
        place: a folder that is not there or empty.
        form: coco, voc, yolo or csv.

    Raises:
        DataError: the pictures have no objects, a class's name cannot be written, or the folder holds something.
    """
    if parts.kind != "objects":
        raise DataError(f"{parts.name} has no objects with boxes, which the other forms are about ({parts.kind}).")
    if form not in WRITERS:
        raise DataError(f"There is no form {form!r}; known are {', '.join(WRITERS)}.")
    unshowable = [name for name in parts.names if not is_plain(name)]
    if unshowable:
        raise DataError(f"The class {shown(unshowable[0])} of {parts.name} cannot be written: rename it.")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise DataError(f"{place} holds something already. Give a folder that is not there or empty.")
    place.mkdir(parents=True, exist_ok=True)
    pictures, skipped = _place_pictures(parts, place, form)
    written = WRITERS[form](place, pictures, parts.names)
    counts = {part: sum(p.part == SHORT[part] for p in pictures) for part in parts.given()}
    lost = [*_left_out(parts), *written.lost]
    return Converted(place, form, counts, written.objects, lost, [*parts.skipped, *skipped])


def _left_out(parts: Parts) -> list[str]:
    """Sentences on objects that could not even be read whole."""
    sentences = []
    for kept, what in ((False, "annotated objects cannot be used and are left out"), (True, "annotations are mended")):
        faults = [fault for fault in parts.faults if fault.kept == kept]
        if faults:
            sentences.append(f"{len(faults)} {what}, the first: {faults[0].reason}")
    return sentences


def _place_pictures(parts: Parts, place: Path, form: Form) -> tuple[list[Picture], list[Skipped]]:
    pictures: list[Picture] = []
    skipped: list[Skipped] = []
    taken: set[str] = set()
    for part, data in parts.given().items():
        assert isinstance(data, ObjectDataSet)
        folder = place / PICTURES[form].format(part=SHORT[part])
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(len(data)):
            truth = data.truth(index)
            try:
                size = _size(truth)
            except UnreadableError as error:
                skipped.append(Skipped(truth.path, str(error)))
                continue
            path = folder / _free_name(truth.path or f"{SHORT[part]}_{index:06d}.png", SHORT[part], taken)
            if truth.path:
                shutil.copyfile(truth.path, path)
            else:
                write_image(path, data[index].image)
            pictures.append(Picture(SHORT[part], path, size, truth.objects, truth.outlines))
    return pictures, skipped


def _size(truth: Annotated) -> Size:
    if not truth.path:
        assert truth.size is not None
        return truth.size
    size = image_size(truth.path)
    if truth.size is not None and size != truth.size:
        raise UnreadableError(
            f"{truth.path} has {size[1]} x {size[0]} pixels, and its objects were annotated in "
            f"{truth.size[1]} x {truth.size[0]}."
        )
    return size


def _free_name(path: str, part: str, taken: set[str]) -> str:
    """The picture's own name, or one like it where another picture has it (endings aside: labels are filed by stem).

    Characters that XML and lists cannot hold become dashes.
    """
    own = Path(path).name
    name = Path(own if is_plain(own) else "".join(c if is_plain(c) else "-" for c in own))
    tries = [name.stem, f"{part}_{name.stem}"]
    stem = next((s for s in tries if s.casefold() not in taken), "")
    number = 2
    while not stem:
        if f"{part}_{name.stem}_{number}".casefold() not in taken:
            stem = f"{part}_{name.stem}_{number}"
        number += 1
    taken.add(stem.casefold())
    return stem + name.suffix
