"""Whether an annotated box can be used, and in which words it is said if not.

A box that shows nothing (no area, outside the picture) is left out. A box that says that something is there but not
where (not a number, corners the wrong way round) is left out too, and the picture with it where nothing else is in it:
it would pass for a picture without objects.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from osler.data.objects.outlines import Box, Outline
from osler.data.plain_text import shown
from osler.data.source import ObjectFault, Skipped
from osler.structures.sample import Objects

ROUNDING = 1.0  # pixels by which a box may reach over the edge unremarked
SHOWS_NOTHING = ("no area", "outside")

LARGEST_SIDE = 1_000_000  # pixels: what is said to be larger is no size of a picture

Size = tuple[int, int]


@dataclass(slots=True)
class RawObject:
    """An object as its file has it. The box is x1, y1, x2, y2 in pixels, x2 and y2 exclusive."""

    where: str  # file and record
    box: Box
    label: int
    outline: Outline | None = None
    crowd: bool = False
    difficult: bool = False
    area: float | None = None  # in pixels, where the file says it
    broken: bool = False  # it has an outline, which cannot be used


@dataclass(slots=True)
class Annotated:
    """A picture and the truth about it, before it is decoded."""

    path: str
    size: Size | None  # height, width for which it was annotated; None: unknown
    objects: Objects  # without masks
    outlines: list[Outline | None]
    broken: tuple[str, ...] = ()  # where the outlines were filed that cannot be used


def admit(
    path: str, size: Size | None, raws: Sequence[RawObject], faults: list[ObjectFault]
) -> tuple[Annotated | None, Skipped | None]:
    """The objects that can be used, or why the picture cannot be. What is wrong is added to `faults`.

    `faults` may hold more of this picture already: objects that had no box or no known class at all.
    """
    before = len(faults)
    kept = [raw for raw in raws if _usable(raw, size, faults)]
    new = [f for f in faults[before:] if not f.kept and f.name not in SHOWS_NOTHING]
    if new and not kept:
        return None, hidden_objects(path, new)
    broken = tuple(raw.where for raw in kept if raw.broken)
    return Annotated(path, size, _objects(kept, size), [raw.outline for raw in kept], broken), None


def hidden_objects(path: str, faults: Sequence[ObjectFault]) -> Skipped:
    """A picture in which something is, and nothing is known where."""
    return Skipped(
        path,
        f"{shown(path)} is left out: none of its annotations can be used ({faults[0].name}), and it would pass for a "
        "picture without objects",
    )


def _usable(raw: RawObject, size: Size | None, faults: list[ObjectFault]) -> bool:
    found = box_fault(raw.box, size)
    if found is None:
        return True
    name, reason, kept = found
    faults.append(ObjectFault(name, raw.where, f"{raw.where}: {reason}", kept))
    return kept


def usable_size(height: float, width: float) -> Size | None:
    """Height and width where they can be those of a picture, else None."""
    sides = (height, width)
    if not all(math.isfinite(side) and side == int(side) and 1 <= side <= LARGEST_SIDE for side in sides):
        return None
    return int(height), int(width)


def size_fault(where: str, height: object, width: object) -> ObjectFault:
    """What is said of an annotated size that none can be."""
    reason = f"{where}: {shown(width, 40)} x {shown(height, 40)} is no size of a picture; that of the file is taken."
    return ObjectFault("unusable size", where, reason, kept=True)


def box_fault(box: Box, size: Size | None) -> tuple[str, str, bool] | None:
    """What is wrong with a box, in a few words and in a sentence, and whether it is of use all the same."""
    x1, y1, x2, y2 = box
    shown = f"x {x1:g} to {x2:g}, y {y1:g} to {y2:g}"
    if not all(map(math.isfinite, box)):
        return "not a number", f"the box ({shown}) holds a value that is no finite number.", False
    if x2 < x1 or y2 < y1:
        return "swapped corners", f"the box ({shown}) ends before it begins: a size below 0, or swapped corners.", False
    if x2 == x1 or y2 == y1:
        return "no area", f"the box ({shown}) has no area.", False
    if size is None:
        return None
    height, width = size
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        return "outside", f"the box ({shown}) lies outside its picture of {width} x {height} pixels.", False
    if min(x1, y1) < -ROUNDING or x2 > width + ROUNDING or y2 > height + ROUNDING:
        reason = f"the box ({shown}) reaches outside its picture of {width} x {height} pixels, and is cut to it."
        return "reaches outside", reason, True
    return None


def _objects(raws: Sequence[RawObject], size: Size | None) -> Objects:
    boxes = np.array([raw.box for raw in raws], np.float64).reshape(-1, 4)
    if size is not None:
        height, width = size
        boxes = np.clip(boxes, 0, [width, height, width, height])
    return Objects(
        boxes.astype(np.float32),
        np.array([raw.label for raw in raws], np.int64),
        crowd=np.array([raw.crowd for raw in raws], bool),
        difficult=np.array([raw.difficult for raw in raws], bool),
        areas=_areas(raws, boxes),
    )


def _areas(raws: Sequence[RawObject], boxes: Float[np.ndarray, "objects 4"]) -> Float[np.ndarray, " objects"] | None:
    """The areas that the file says, of the boxes where it says none for some; None where it says none at all."""
    if not raws or all(raw.area is None for raw in raws):
        return None
    of_boxes = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).tolist()
    pairs = zip(raws, of_boxes, strict=True)
    return np.array([own if raw.area is None else raw.area for raw, own in pairs], np.float32)


def file_and(path: Path, record: str) -> str:
    """Where a record is, for the person."""
    return f"{path}, {record}"
