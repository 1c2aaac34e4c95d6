"""`osler data convert`: pictures with objects, from one form of annotations to another."""

from pathlib import Path

from osler.data.objects.converting import Converted, Form, convert
from osler.data.opening import read_parts
from osler.data.recipe import DataSection
from osler.data.splitting import sample_rows
from osler.structures.files import from_home


def convert_data(
    source: str | Path, place: str | Path, *, to: Form, section: DataSection | None = None, seed: int = 0
) -> Converted:
    """Writes a set of pictures with boxes as COCO, VOC, YOLO or CSV, the pictures copied along.

    Args:
        source: a folder, a file of annotations, or `digits-in-the-wild`.
        place: a folder that is not there or empty.
        to: coco, voc, yolo or csv.
        section: how the source is to be read (format, columns), and how many training pictures are written (limit); its
            `path` is taken from `source`.
        seed: by which they are drawn.

    Raises:
        DataError: the source cannot be read or has no objects, or the folder holds something.
    """
    section = (section or DataSection.model_validate({})).model_copy(update={"path": str(source)})
    parts = read_parts(section)
    whole = len(parts.train)
    if not 0 < section.limit < whole:
        return convert(parts, from_home(place), to)
    parts.train = parts.train.select(sample_rows(parts.train.targets, section.limit, seed))
    done = convert(parts, from_home(place), to)
    done.lost.append(f"{section.limit} of {whole} training pictures are written (data.limit), by seed {seed}.")
    return done
