"""What a reader of annotations finds, part by part, and how it becomes the parts of a data set."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from osler.data.objects.box_checks import Annotated, RawObject, Size, admit, hidden_objects
from osler.data.objects.object_files import ObjectFiles
from osler.data.parts import Parts
from osler.data.plain_text import shown
from osler.data.source import ObjectFault, Skipped
from osler.imaging.header import UnreadableError, image_size
from osler.structures.errors import DataError

MOST_BROKEN = 0.1  # of a part's outlines, for which their pictures are left out


@dataclass(slots=True)
class Gathered:
    """The pictures of one part, and what was wrong with some."""

    pictures: list[Annotated] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    faults: list[ObjectFault] = field(default_factory=list)

    def add(self, path: Path, size: Size | None, raws: Sequence[RawObject], faults: Sequence[ObjectFault] = ()) -> None:
        """A picture with its objects; `faults` are of those that have no usable record at all."""
        self.faults += faults
        lost = [fault for fault in faults if not fault.kept]
        if lost and not raws:
            self.skipped.append(hidden_objects(str(path), lost))
            return
        annotated, skipped = admit(str(path), size, raws, self.faults)
        if annotated is not None:
            self.pictures.append(annotated)
        if skipped is not None:
            self.skipped.append(skipped)

    def missing(self, path: Path | str, where: str) -> None:
        """A picture that is annotated and not there."""
        self.skipped.append(Skipped(shown(path), f"{where}: there is no picture at {shown(path)}"))

    def size_of(self, path: Path) -> Size | None:
        """Height and width from a picture's header; None (and the picture skipped) where it cannot be read."""
        try:
            return image_size(path)
        except UnreadableError as error:
            self.skipped.append(Skipped(shown(path), shown(error)))
            return None


def to_parts(
    name: str, names: Sequence[str], found: Mapping[str, Gathered], notes: Sequence[str] = (), *, place: Path
) -> Parts:
    """The parts of a data set from what was gathered: keys are train, validation, test.

    Raises:
        DataError: no training picture can be used, or nothing at all is annotated.
    """
    skipped = [s for gathered in found.values() for s in gathered.skipped]
    faults = [f for gathered in found.values() for f in gathered.faults]
    train = found.get("train", Gathered())
    if not train.pictures:
        raise DataError(f"{place} gives no pictures for training.{_first_skipped(skipped)}")
    for part, gathered in found.items():
        if gathered.skipped and not gathered.pictures:  # a share of the training pictures must not take its place
            raise DataError(f"{place} has {part} pictures, and none can be used.{_first_skipped(gathered.skipped)}")
    if not any(len(picture.objects) for gathered in found.values() for picture in gathered.pictures):
        why = f" The first of {len(faults)} that are left out: {faults[0].reason}" if faults else ""
        raise DataError(f"{place} has no object that can be used.{why}")
    _leave_out_broken(list(found.values()))
    skipped = [s for gathered in found.values() for s in gathered.skipped]
    faults = [f for gathered in found.values() for f in gathered.faults]
    sets = {part: ObjectFiles(g.pictures, len(names)) for part, g in found.items() if g.pictures}
    masks = all(data.has_masks or not data.targets.any() for data in sets.values())
    notes = [*notes, *_about_faults(faults), *_about_outlines(sets, masks)]
    for data in sets.values():
        data._outlined = masks
    return Parts(
        name, "objects", tuple(names), sets["train"], sets.get("validation"), sets.get("test"),
        skipped=skipped, notes=notes, faults=faults,
    )  # fmt: skip


def _first_skipped(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ""
    return f" The first of {len(skipped)} that are left out: {skipped[0].reason.rstrip('.')}."


def _leave_out_broken(parts: Sequence[Gathered]) -> None:
    """Leaves out the few pictures in which an outline cannot be used, where every other object has one.

    Kept, they would take the masks from all: an object without one is there, and where is not known. Of many, the
    outlines are probably read the wrong way, and the boxes are what is left.
    """
    pictures = [picture for part in parts for picture in part.pictures]
    broken = {where for picture in pictures for where in picture.broken}
    outlines = [outline for picture in pictures for outline in picture.outlines]
    without = sum(outline is None for outline in outlines)
    emptied = any(part.pictures and all(p.broken for p in part.pictures) for part in parts)
    if not broken or emptied or len(broken) > MOST_BROKEN * len(outlines) or without > len(broken):
        return
    for part in parts:
        faults = {fault.where: fault for fault in part.faults if fault.name == "unusable outline"}
        part.skipped += [
            Skipped(
                p.path, f"{shown(p.path)} is left out: all other objects have outlines. {faults[p.broken[0]].reason}"
            )
            for p in part.pictures
            if p.broken
        ]
        part.pictures = [p for p in part.pictures if not p.broken]
        part.faults = [replace(f, kept=f.kept and faults.get(f.where) is not f) for f in part.faults]


def _about_faults(faults: Sequence[ObjectFault]) -> list[str]:
    notes = []
    for kept, what in ((False, "annotated objects are left out"), (True, "annotations are mended")):
        names = Counter(f.name for f in faults if f.kept == kept)
        if names:
            listed = ", ".join(f"{count} {name}" for name, count in names.most_common())
            notes.append(f"{sum(names.values())} {what}: {listed}. osler data names them.")
    return notes


def _about_outlines(sets: Mapping[str, ObjectFiles], masks: bool) -> list[str]:
    outlines = [(t.path, o) for data in sets.values() for t in data.truths for o in t.outlines]
    without = [path for path, outline in outlines if outline is None]
    if masks or not without or len(without) == len(outlines):
        return []
    return [
        f"{len(without)} of {len(outlines)} objects have a box and no outline (the first in {without[0]}), so that "
        "no masks are given; boxes are."
    ]


def refuse_mostly_faulty(parts: Parts, limit: float) -> None:
    """Refuses a set of which more than the share `limit` of the objects, or of the pictures, had to be left out.

    Raises:
        DataError: so much is wrong that the annotations are probably read the wrong way.
    """
    left_out = [f for f in parts.faults if not f.kept]
    sets = [data for data in parts.given().values() if isinstance(data, ObjectFiles)]
    objects = len(left_out) + sum(len(t.objects) for data in sets for t in data.truths)
    if len(left_out) > limit * objects:
        raise DataError(
            f"{len(left_out)} of {objects} annotated objects of {parts.name} cannot be used, more than "
            f"data.unreadable={limit:g} allows. The first: {left_out[0].reason} osler data names them all."
        )
    pictures = len(parts.skipped) + sum(len(data) for data in parts.given().values())
    if len(parts.skipped) > limit * pictures:
        raise DataError(
            f"{len(parts.skipped)} of {pictures} pictures of {parts.name} cannot be used, more than "
            f"data.unreadable={limit:g} allows. The first: {parts.skipped[0].reason.rstrip('.')}. osler data names them all."
        )
