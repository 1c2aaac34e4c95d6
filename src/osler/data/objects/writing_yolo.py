"""YOLO's text files from objects: `images/` and `labels/` by part, and a `data.yaml` with the classes.

Where every object has an outline, outlines are written, else boxes. A line has room for one ring: the pieces of an
object are joined by bridges without width, there and back.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from osler.data.objects.outlines import Outline, Polygons, trace
from osler.data.objects.written import Picture, Written, flags, losses
from osler.data.objects.yolo import label_file
from osler.structures.files import write_text


def write_yolo(place: Path, pictures: Sequence[Picture], names: Sequence[str]) -> Written:
    """A text for each picture, and the YAML. Crowds and difficult marks are lost, and holes in masks."""
    single = [
        outline for p in pictures for outline, (crowd, _) in zip(p.outlines, flags(p.objects), strict=True) if not crowd
    ]
    outlined = bool(single) and None not in single
    done = Written(lost=losses(pictures, form="YOLO", crowds=True, difficult=True, outlines=not outlined))
    for picture in pictures:
        lines = []
        for row, (crowd, _) in enumerate(flags(picture.objects)):
            if crowd:
                continue
            values = _box(picture, row)
            if outlined:
                values = _ring(picture.outlines[row], picture.size) or values
            lines.append(" ".join([str(int(picture.objects.labels[row])), *map(repr, values)]))
        done.objects += len(lines)
        write_text(label_file(picture.path), "".join(line + "\n" for line in lines))
    parts = dict.fromkeys(p.part for p in pictures)
    content = {**{part: f"images/{part}" for part in parts}, "names": dict(enumerate(names))}
    write_text(place / "data.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    return done


def _box(picture: Picture, row: int) -> list[float]:
    """The middle and the size as shares of the picture's, in so many digits that the box comes back as it was."""
    height, width = picture.size
    x1, y1, x2, y2 = picture.objects.boxes[row].tolist()
    return [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height]


def _ring(outline: Outline | None, size: tuple[int, int]) -> list[float]:
    """All rings as one, in shares of the picture's sides; nothing for an empty mask."""
    polygons = outline if isinstance(outline, Polygons) or outline is None else trace(outline.mask(*size))
    if polygons is None:
        return []
    home = polygons.rings[0]
    rings = [home] + [np.concatenate([home[:1], ring, ring[:1]]) for ring in polygons.rings[1:]]
    height, width = size
    return np.clip(np.concatenate(rings).astype(np.float64) / (width, height), 0, 1).ravel().tolist()
