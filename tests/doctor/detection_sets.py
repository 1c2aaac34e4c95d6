"""Small sets of pictures with bright rectangles, written in COCO's form for recipes of ours."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Change = Callable[[list[float], int], list[float]]  # of a box x, y, width, height and its number
SIDE = 128
MODEL = "model=faster_rcnn_light"
SMALL = (
    "model.options={backbone: {name: mobilenet_v3_small, options: {width: 0.125}}, channels: 16}",
    f"model.size={SIDE}",
    "train.batch_size=4",
)


def write_set(
    folder: Path, change: Change = lambda box, k: box, *, pictures: int = 24, sides: tuple[int, int] = (16, 60)
) -> Path:
    """A third of the pictures is for validation; the second class is in every other picture."""
    rng = np.random.default_rng(0)
    for part, count in (("train", pictures), ("val", pictures // 2)):
        root = folder / part
        root.mkdir(parents=True)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for k in range(count):
            image = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
            images.append({"id": k, "file_name": f"{k}.png", "height": SIDE, "width": SIDE})
            for half in range(2):
                width, height = (int(v) for v in rng.integers(sides[0], sides[1], 2))
                x, y = 64 * half + int(rng.integers(0, 65 - width)), int(rng.integers(0, SIDE - height + 1))
                image[y : y + height, x : x + width] = (200, 80 + 100 * half, 50)
                box = change([float(v) for v in (x, y, width, height)], len(annotations))
                number = len(annotations) + 1
                area = abs(box[2] * box[3])
                annotations.append(
                    {"id": number, "image_id": k, "category_id": half + 1, "bbox": box, "iscrowd": 0, "area": area}
                )
            cv2.imwrite(str(root / f"{k}.png"), image)
        kinds = [{"id": 1, "name": "left"}, {"id": 2, "name": "right"}]
        content = {"images": images, "annotations": annotations, "categories": kinds}
        (folder / f"instances_{part}.json").write_text(json.dumps(content))
    return folder
