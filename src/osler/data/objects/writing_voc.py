"""Pascal VOC's XML from objects: `Annotations/`, `JPEGImages/`, and the parts as lists in `ImageSets/Main/`."""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from osler.data.objects.voc import CORNERS, to_voc
from osler.data.objects.written import Picture, Written, flags, losses
from osler.structures.files import write_text


def write_voc(place: Path, pictures: Sequence[Picture], names: Sequence[str]) -> Written:
    """A file for each picture, and a list for each part. Outlines and crowds are lost."""
    done = Written(lost=losses(pictures, form="VOC", crowds=True, difficult=False, outlines=True))
    for picture in pictures:
        things = []
        for row, (crowd, difficult) in enumerate(flags(picture.objects)):
            if not crowd:
                name = names[int(picture.objects.labels[row])]
                things.append(_object(name, picture.objects.boxes[row].tolist(), difficult))
        done.objects += len(things)
        (place / "Annotations").mkdir(exist_ok=True)
        write_text(place / "Annotations" / f"{picture.path.stem}.xml", _document(picture, things))
    for part in dict.fromkeys(p.part for p in pictures):
        stems = [p.path.stem for p in pictures if p.part == part]
        write_text(place / "ImageSets" / "Main" / f"{part}.txt", "\n".join(stems) + "\n")
    return done


def _document(picture: Picture, things: Sequence[str]) -> str:
    height, width = picture.size
    lines = [
        "<annotation>",
        "  <folder>JPEGImages</folder>",
        f"  <filename>{escape(picture.path.name)}</filename>",
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        *things,
        "</annotation>",
    ]
    return "\n".join(lines) + "\n"


def _object(name: str, box: Sequence[float], difficult: bool) -> str:
    x1, y1, x2, y2 = box
    corners = zip(CORNERS, to_voc((x1, y1, x2, y2)), strict=True)
    inner = "".join(f"<{corner}>{_number(value)}</{corner}>" for corner, value in corners)
    name = escape(name)
    return f"  <object><name>{name}</name><difficult>{int(difficult)}</difficult><bndbox>{inner}</bndbox></object>"


def _number(value: float) -> str:
    """Whole pixels as VOC writes them; parts of pixels in as many digits as they need."""
    return str(int(value)) if value == int(value) else repr(value)
