"""What is handed to a writer of annotations, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from osler.data.objects.box_checks import Size
from osler.data.objects.outlines import Outline
from osler.structures.sample import Objects


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture at its new place, and its objects."""

    part: str  # train, val or test
    path: Path
    size: Size
    objects: Objects
    outlines: Sequence[Outline | None]


@dataclass(slots=True)
class Written:
    """How many objects were written, and sentences on what was lost."""

    objects: int = 0
    lost: list[str] = field(default_factory=list)


def flags(objects: Objects) -> list[tuple[bool, bool]]:
    """Whether each object is a crowd, and whether it is difficult."""
    none = [False] * len(objects)
    crowd = none if objects.crowd is None else objects.crowd.tolist()
    difficult = none if objects.difficult is None else objects.difficult.tolist()
    return list(zip(crowd, difficult, strict=True))


def losses(pictures: Sequence[Picture], *, form: str, crowds: bool, difficult: bool, outlines: bool) -> list[str]:
    """Sentences on what a form has no place for; the arguments say which are lost by it."""
    found = [(*f, o is not None) for p in pictures for f, o in zip(flags(p.objects), p.outlines, strict=True)]
    written = [one for one in found if not (crowds and one[0])]
    drawn = sum(outlined for _, _, outlined in written)
    counts = [
        (len(found) - len(written), "crowds are left out: as single objects they would be wrong"),
        (difficult * sum(hard for _, hard, _ in written), "objects lose their mark as difficult"),
        (outlines * drawn, "objects lose their outlines and keep their boxes"),
    ]
    return [f"{count} {what} ({form} has no place for them)." for count, what in counts if count]
