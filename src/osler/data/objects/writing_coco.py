"""COCO's JSON from objects: `annotations/instances_train.json` and so on, beside a folder of pictures for each part."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osler.data.objects.outlines import Outline, Polygons
from osler.data.objects.written import Picture, Written, flags
from osler.structures.files import write_text


def write_coco(place: Path, pictures: Sequence[Picture], names: Sequence[str]) -> Written:
    """A file for each part. Nothing is lost: crowds are `iscrowd`, difficult ones `ignore`, masks runs."""
    done = Written()
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    for part in dict.fromkeys(p.part for p in pictures):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for picture in (p for p in pictures if p.part == part):
            image = {"id": len(images) + 1, "file_name": picture.path.name}
            images.append(image | {"height": picture.size[0], "width": picture.size[1]})
            for row in range(len(picture.objects)):
                annotations.append({"id": done.objects + 1, "image_id": image["id"], **_annotation(picture, row)})
                done.objects += 1
        content = {"images": images, "annotations": annotations, "categories": categories}
        write_text(place / "annotations" / f"instances_{part}.json", json.dumps(content) + "\n")
    return done


def _annotation(picture: Picture, row: int) -> dict[str, Any]:
    x1, y1, x2, y2 = picture.objects.boxes[row].tolist()
    crowd, difficult = flags(picture.objects)[row]
    outline, areas = picture.outlines[row], picture.objects.areas
    found: dict[str, Any] = {
        "category_id": int(picture.objects.labels[row]) + 1,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": _area(outline, (x2 - x1) * (y2 - y1)) if areas is None else float(areas[row]),
        "iscrowd": int(crowd),
    }
    if difficult:
        found["ignore"] = 1
    if isinstance(outline, Polygons):
        found["segmentation"] = [np.float64(ring).ravel().tolist() for ring in outline.rings]
    elif outline is not None:
        counts = outline.counts.tolist() if crowd else outline.text
        found["segmentation"] = {"size": [outline.height, outline.width], "counts": counts}
    return found


def _area(outline: Outline | None, of_box: float) -> float:
    """Of the outline in pixels, as COCO has it; of the box where there is none."""
    if outline is None:
        return of_box
    if not isinstance(outline, Polygons):
        return float(outline.counts[1::2].sum())
    areas = []
    for ring in outline.rings:
        x, y = ring.astype(np.float64).T
        areas.append(abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2)
    return sum(areas)
