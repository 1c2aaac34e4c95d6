"""Small sets of pictures with boxes in every form, which the tests write."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from data_files import picture, write_picture

from osler.data.objects.box_checks import Annotated
from osler.data.objects.object_files import ObjectFiles
from osler.data.objects.outlines import Outline
from osler.data.opening import read_parts
from osler.data.parts import Parts
from osler.data.recipe import DataSection
from osler.structures.sample import Objects

HEIGHT, WIDTH = 40, 60


def photo(path: Path, seed: int, *, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """A picture of noise."""
    return write_picture(path, picture(seed, height=height, width=width))


def coco(
    images: list[dict[str, Any]], annotations: list[dict[str, Any]], names: tuple[str, ...] = ("cat", "dog")
) -> Any:
    """COCO's object: categories are numbered from 1."""
    for image in images:
        image.setdefault("height", HEIGHT)
        image.setdefault("width", WIDTH)
    categories = [{"id": i, "name": n} for i, n in enumerate(names, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def box(identity: int, image: int, bbox: list[float] | Any, category: int = 1, **more: Any) -> dict[str, Any]:
    """An annotation."""
    return {"id": identity, "image_id": image, "category_id": category, "bbox": bbox, "iscrowd": 0, **more}


def coco_set(root: Path, annotations: list[dict[str, Any]], *, pictures: int = 3) -> Path:
    """One JSON file with pictures 1.png, 2.png, ... beside it; each has its number as id."""
    images = [{"id": i, "file_name": f"{i}.png"} for i in range(1, pictures + 1)]
    for i in range(1, pictures + 1):
        photo(root / f"{i}.png", i)
    (root / "boxes.json").write_text(json.dumps(coco(images, annotations)))
    return root / "boxes.json"


def voc_file(things: str, *, name: str = "1.png", size: tuple[int, int] = (HEIGHT, WIDTH)) -> str:
    """VOC's XML."""
    return (
        f"<annotation><filename>{name}</filename><size><width>{size[1]}</width><height>{size[0]}</height></size>"
        f"{things}</annotation>"
    )


def voc_thing(xmin: object, ymin: object, xmax: object, ymax: object, name: str = "cat", difficult: int = 0) -> str:
    """VOC's object."""
    return (
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin>"
        f"<xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
    )


def read(path: Path | str, **values: Any) -> Parts:
    """The parts at a path."""
    return read_parts(DataSection(path=str(path), **values))


def boxes(parts: Parts, index: int = 0, part: str = "train") -> list[list[float]]:
    """The boxes of a picture."""
    data = parts.given()[part]
    assert isinstance(data, ObjectFiles)
    found: list[list[float]] = data.truths[index].objects.boxes.tolist()
    return found


def truths(parts: Parts) -> dict[tuple[str, str], Annotated]:
    """What is known of each picture, by part and by the name of its file without ending."""
    return {
        (part, Path(data.truth(i).path).stem): data.truth(i)  # type: ignore[attr-defined]
        for part, data in parts.given().items()
        for i in range(len(data))
    }


def rows(objects: Objects, outlines: list[Outline | None], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Objects as comparable rows: class name, box, crowd, difficult, the outline's mask."""
    found = []
    for i in range(len(objects)):
        outline = outlines[i]
        mask = None if outline is None else outline.mask(HEIGHT, WIDTH).tobytes()
        assert objects.crowd is not None
        assert objects.difficult is not None
        label = names[int(objects.labels[i])]
        found.append(
            (label, tuple(objects.boxes[i].tolist()), bool(objects.crowd[i]), bool(objects.difficult[i]), mask)
        )
    return found


def blob(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A mask of joined rectangles without holes."""
    random = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    x, y = width // 2, height // 2
    for _ in range(4):
        wide, tall = int(random.integers(3, 14)), int(random.integers(3, 10))
        mask[max(0, y - tall) : y + tall, max(0, x - wide) : x + wide] = 1
    return mask
