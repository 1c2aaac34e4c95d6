"""A CSV from objects: a line an object, the pictures in `pictures/` beside it."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from osler.data.objects.written import Picture, Written, flags, losses
from osler.structures.files import write_text

COLUMNS = ("path", "x1", "y1", "x2", "y2", "label", "split", "difficult", "crowd")


def write_object_table(place: Path, pictures: Sequence[Picture], names: Sequence[str]) -> Written:
    """`objects.csv`. A picture without objects has a line of its own. Outlines are lost."""
    done = Written(lost=losses(pictures, form="CSV", crowds=False, difficult=False, outlines=True))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for picture in pictures:
        path = picture.path.relative_to(place).as_posix()
        if len(picture.objects) == 0:
            writer.writerow([path, "", "", "", "", "", picture.part, "", ""])
        for row, (crowd, difficult) in enumerate(flags(picture.objects)):
            label = names[int(picture.objects.labels[row])]
            box = [repr(v) for v in picture.objects.boxes[row].tolist()]
            writer.writerow([path, *box, label, picture.part, int(difficult), int(crowd)])
            done.objects += 1
    write_text(place / "objects.csv", text.getvalue())
    return done
