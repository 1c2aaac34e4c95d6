"""COCO's JSON (Lin et al. 2014): pictures, annotations and categories in three lists, joined by their ids.

A box is x, y, width, height in pixels, x and y on the picture's edges. An outline is a list of polygons, or runs
(`rle.py`). `iscrowd` marks a crowd; `ignore`, which several tools write, an object that counts neither way (difficult).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from osler.data.objects.box_checks import RawObject, Size, size_fault, usable_size
from osler.data.objects.gathered import Gathered, to_parts
from osler.data.objects.outlines import Box, Outline, Polygons, Runs
from osler.data.objects.picture_folder import PictureFolder
from osler.data.objects.plain_json import mark, number, read_json, records_of
from osler.data.parts import Parts
from osler.data.plain_text import is_plain, shown
from osler.data.source import ObjectFault
from osler.structures.errors import DataError

Record = dict[str, Any]
FARTHEST = 1e9  # pixels from a picture's corner that an outline may reach
LARGEST_AREA = 1e12  # square pixels


@dataclass(frozen=True, slots=True)
class CocoFile:
    """The three lists of a file, as they are."""

    path: Path
    images: list[Record]
    annotations: list[Record]
    categories: list[Record]

    def names(self) -> dict[Any, str]:
        """The name of each category by its id.

        Raises:
            DataError: a category has no id or name, or two have the same.
        """
        found: dict[Any, str] = {}
        for place, category in enumerate(self.categories):
            identity, name = category.get("id"), category.get("name")
            if not isinstance(identity, (int, str)) or not isinstance(name, str) or not name.strip():
                raise DataError(f"{self.path}: entry {place} of 'categories' has no id or no name.")
            if not is_plain(name):
                raise DataError(
                    f"{self.path}: the name of entry {place} of 'categories' holds characters that cannot be shown: "
                    f"{shown(name)}."
                )
            if identity in found:
                two = f"{shown(found[identity])} and {shown(name)}"
                raise DataError(f"{self.path}: two categories have the id {shown(identity)}: {two}.")
            if name in found.values():
                raise DataError(f"{self.path}: two categories are called '{shown(name)}'; which is meant is not known.")
            found[identity] = name
        used = {a.get("category_id") for a in self.annotations if isinstance(a.get("category_id"), (int, str))}
        parents = {c.get("supercategory") for c in self.categories if c["id"] in used}
        return {i: n for i, n in found.items() if i in used or not (parents == {n} and len(found) > 1)}


def read_coco_file(path: Path) -> CocoFile:
    """A file of annotations in COCO's form.

    Raises:
        DataError: it cannot be read, or has another shape.
    """
    content = read_json(path)
    lists = [records_of(content, key, path) for key in ("images", "annotations", "categories")]
    return CocoFile(path, *lists)


def read_coco(files: Mapping[str, Path], name: str, *, pictures: str = "auto", place: Path) -> Parts:
    """The pictures and objects of a file for each part (train, validation, test).

    Args:
        files: part -> its annotations.
        name: of the data set.
        pictures: the folder of the pictures; auto: looked for near the annotations.
        place: what the person gave, for errors.

    Raises:
        DataError: a file has another shape, categories are ambiguous, or nothing can be used.
    """
    read = {part: read_coco_file(path) for part, path in files.items()}
    by_part = {part: file.names() for part, file in read.items()}
    names = tuple(dict.fromkeys(n for known in by_part.values() for n in known.values()))
    found = {}
    for part, file in read.items():
        labels = {identity: names.index(n) for identity, n in by_part[part].items()}
        found[part] = _gather(file, labels, PictureFolder.near(file.path, _file_names(file), pictures))
    return to_parts(name, names, found, place=place)


def _file_names(file: CocoFile) -> list[str]:
    return [n for n in (image.get("file_name") for image in file.images) if isinstance(n, str)]


def _gather(file: CocoFile, labels: Mapping[Any, int], folder: PictureFolder) -> Gathered:
    gathered = Gathered()
    by_image = _annotations_by_image(file, gathered)
    seen: set[Any] = set()
    for place, image in enumerate(file.images):
        identity, file_name = image.get("id"), image.get("file_name")
        where = f"{file.path}, image {shown(identity) if identity is not None else f'number {place}'}"
        if not isinstance(identity, (int, str)) or not isinstance(file_name, str) or not file_name:
            gathered.missing(f"({shown(file_name)})", f"{where} has no id or no file_name")
            continue
        if identity in seen:
            gathered.missing(file_name, f"{where}: a second image with this id, which is left out")
            continue
        seen.add(identity)
        path = folder.find(file_name)
        if path is None:
            gathered.missing(folder.first / file_name, where)
            continue
        faults: list[ObjectFault] = []
        size = _size(image, where, faults) or gathered.size_of(path)
        if size is None:
            continue
        raws = [raw for a in by_image.get(identity, ()) if (raw := _raw(a, file, labels, size, faults)) is not None]
        gathered.add(path, size, raws, faults)
    return gathered


def _annotations_by_image(file: CocoFile, gathered: Gathered) -> dict[Any, list[Record]]:
    """The annotations of each image; those of unknown images, and exact repeats of an id, are faults."""
    known = {image["id"] for image in file.images if isinstance(image.get("id"), (int, str))}
    by_image: dict[Any, list[Record]] = defaultdict(list)
    first: dict[Any, Record] = {}
    for place, annotation in enumerate(file.annotations):
        where, image = _where(file, annotation, place), annotation.get("image_id")
        annotation["__where"] = where
        if not isinstance(image, (int, str)) or image not in known:
            gathered.faults.append(_fault("unknown picture", where, f"there is no image with the id {_quoted(image)}."))
            continue
        identity = annotation.get("id")
        if isinstance(identity, (int, str)):
            earlier = first.setdefault(identity, annotation)
            if earlier is not annotation:
                same = all(earlier.get(k) == annotation.get(k) for k in ("image_id", "bbox", "category_id"))
                what = "the same object again, left out" if same else "another object, kept"
                reason = f"a second annotation with this id: {what}."
                gathered.faults.append(_fault("duplicate id", where, reason, kept=not same))
                if same:
                    continue
        by_image[image].append(annotation)
    return by_image


def _where(file: CocoFile, annotation: Record, place: int) -> str:
    identity = annotation.get("id")
    which = shown(identity) if identity is not None else f"number {place}"
    return f"{file.path}, annotation {which}"


def _quoted(value: Any) -> str:
    return shown(repr(value))


def _fault(name: str, where: str, reason: str, *, kept: bool = False) -> ObjectFault:
    return ObjectFault(name, where, f"{where}: {reason}", kept)


def _size(image: Record, where: str, faults: list[ObjectFault]) -> Size | None:
    height, width = image.get("height"), image.get("width")
    if height is None and width is None:
        return None
    size = usable_size(number(height), number(width))
    if size is None:
        faults.append(size_fault(where, _quoted(height), _quoted(width)))
    return size


def _raw(
    annotation: Record, file: CocoFile, labels: Mapping[Any, int], size: Size, faults: list[ObjectFault]
) -> RawObject | None:
    where, category = annotation["__where"], annotation.get("category_id")
    if not isinstance(category, (int, str)) or category not in labels:
        known = ", ".join(map(shown, list(labels)[:8])) or "none"
        reason = f"there is no category with the id {_quoted(category)}; known are {known}."
        faults.append(_fault("unknown category", where, reason))
        return None
    outline, wrong = _outline(annotation.get("segmentation"), size)
    if wrong:
        faults.append(_fault("unusable outline", where, f"{wrong}.", kept=True))
    box = _box(annotation.get("bbox"), outline)
    if box is None:
        reason = f"the box is {_quoted(annotation.get('bbox'))}; four numbers (x, y, width, height) are expected."
        faults.append(_fault("no box", where, reason))
        return None
    crowd, *difficult = (_mark(annotation, key, where, faults) for key in ("iscrowd", "ignore", "difficult"))
    area = _area(annotation, where, faults)
    return RawObject(where, box, labels[category], outline, crowd, any(difficult), area, broken=bool(wrong))


def _mark(annotation: Record, key: str, where: str, faults: list[ObjectFault]) -> bool:
    found = mark(annotation.get(key))
    if found is None:
        reason = f"{key} is {_quoted(annotation[key])}; 0 or 1 is expected, and 0 taken."
        faults.append(_fault("unclear mark", where, reason, kept=True))
    return bool(found)


def _area(annotation: Record, where: str, faults: list[ObjectFault]) -> float | None:
    """The area that is filed; None for none. Some exporters file 0 for all, which is none."""
    value = annotation.get("area")
    area = number(value)
    if value is not None and not (0 <= area <= LARGEST_AREA):
        reason = f"its area is {_quoted(value)}; a number of pixels is expected, and its box's taken."
        faults.append(_fault("unusable area", where, reason, kept=True))
        return None
    return area if area > 0 else None


def _box(value: Any, outline: Outline | None) -> Box | None:
    if value is None or value == []:
        return None if outline is None else outline.box()
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        return None
    x, y, width, height = map(number, value)
    return x, y, x + width, y + height


def _outline(value: Any, size: Size) -> tuple[Outline | None, str]:
    """An outline as it is filed, and what is wrong with it."""
    if not value:
        return None, ""
    if isinstance(value, dict):
        return _runs(value, size)
    if not isinstance(value, list):
        return None, "the segmentation is neither a list of polygons nor runs"
    rings = []
    for ring in value:
        if not isinstance(ring, list) or len(ring) % 2 or not all(isinstance(v, (int, float)) for v in ring):
            return None, "a polygon is no list of x, y pairs"
        try:
            points = np.array(ring, np.float64).reshape(-1, 2)
        except OverflowError:  # of a whole number with hundreds of digits
            points = np.full((1, 2), np.inf)
        if not (np.abs(points) < FARTHEST).all():  # nor is a NaN
            return None, "a polygon holds a value that is no finite number, or far outside any picture"
        if len(points) >= 3:
            rings.append(points.astype(np.float32))
    return (Polygons(tuple(rings)), "") if rings else (None, "no polygon has three points")


def _runs(value: Record, size: Size) -> tuple[Outline | None, str]:
    shape, counts = value.get("size"), value.get("counts")
    if not isinstance(shape, list) or len(shape) != 2 or not all(isinstance(v, int) and v > 0 for v in shape):
        return None, "the runs have no size (height, width)"
    if tuple(shape) != size:
        drawn = f"{shown(shape[1], 40)} x {shown(shape[0], 40)}"
        return None, f"the runs are for a picture of {drawn}, and it has {size[1]} x {size[0]}"
    if not isinstance(counts, (str, list)) or (isinstance(counts, list) and not _whole(counts)):
        return None, "the runs' counts are neither text nor whole numbers"
    try:
        return Runs.from_counts(counts, *size), ""
    except DataError as error:
        return None, str(error)


def _whole(counts: list[Any]) -> bool:
    return set(map(type, counts)) <= {int}
