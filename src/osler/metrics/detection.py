"""COCO's numbers for detectors (Lin et al. 2014, "Microsoft COCO", and cocodataset.org's detection evaluation).

AP is the mean over ten overlaps (IoU 0.50 to 0.95) and the classes of the area under the precision-recall curve, sampled at
101 recalls; AR the recall with at most so many detections a picture. The counting is faster-coco-eval's, which equals
pycocotools'. Sizes are those of objects in their own pictures: small below 32 x 32 pixels, large from 96 x 96 on.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from osler.structures.detections import Detections, TrueObjects

Kind = Literal["boxes", "masks"]
# The twelve numbers of COCO's summary, in its order.
NUMBERS = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


def detection_scores(
    found: Sequence[Detections], truths: Sequence[TrueObjects], names: Sequence[str]
) -> dict[str, float]:
    """COCO's numbers for boxes under their own names, and with `mask_` before them where both sides have masks.

    A number for which there is nothing to count (no small object in the whole set) is left out.
    """
    scores = coco_numbers(found, truths, len(names), kind="boxes")
    if _have_masks(found, truths):
        masks = coco_numbers(found, truths, len(names), kind="masks")
        scores |= {f"mask_{name}": value for name, value in masks.items()}
    return scores


def coco_numbers(
    found: Sequence[Detections], truths: Sequence[TrueObjects], classes: int, *, kind: Kind = "boxes"
) -> dict[str, float]:
    """The numbers of COCO's summary that can be counted, each in [0, 1].

    Args:
        found: of each picture.
        truths: of each picture, in the same order.
        classes: how many there are.
        kind: what must overlap.
    """
    evaluation = evaluate_coco(found, truths, classes, kind=kind)
    if evaluation is None:
        return {"ap": 0.0, "ap50": 0.0}
    values = dict(zip(NUMBERS, evaluation.stats[: len(NUMBERS)], strict=True))
    return {name: float(value) for name, value in values.items() if value >= 0}


def evaluate_coco(
    found: Sequence[Detections], truths: Sequence[TrueObjects], classes: int, *, kind: Kind = "boxes"
) -> Any:
    """faster-coco-eval's evaluation, summarised; None where there is no object at all to find."""
    from faster_coco_eval import COCO, COCOeval_faster  # heavy, and needed only where detectors are judged

    if not any((~t.ignored).any() for t in truths):
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(_dataset(truths, classes, kind))
        answers = truth.loadRes(_answers(found, truths, kind) or [_nothing(kind, truths)])
        evaluation = COCOeval_faster(truth, answers, "bbox" if kind == "boxes" else "segm", print_function=_silent)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _silent(*_: object) -> None:
    """The library's progress is not the person's concern."""


def _have_masks(found: Sequence[Detections], truths: Sequence[TrueObjects]) -> bool:
    return any(t.masks is not None for t in truths) and any(f.masks is not None for f in found)


def _dataset(truths: Sequence[TrueObjects], classes: int, kind: Kind) -> dict[str, Any]:
    """The truth as COCO's JSON has it. Pictures are numbered from 1, for 0 means none there."""
    annotations: list[dict[str, Any]] = []
    for picture, truth in enumerate(truths, 1):
        sx, sy = truth.scale
        boxes = truth.boxes.numpy() / np.array([sx, sy, sx, sy], np.float32)
        areas = truth.areas.numpy() if truth.areas is not None else _box_areas(boxes)
        crowd = truth.ignored.numpy() if truth.crowd is None else truth.crowd.numpy()
        for row in range(len(truth)):
            entry = {
                "id": len(annotations) + 1,
                "image_id": picture,
                "category_id": int(truth.labels[row]),
                "bbox": _xywh(boxes[row]),
                "area": float(areas[row]),
                "iscrowd": int(crowd[row]),
                "ignore": int(truth.ignored[row]),
            }
            if kind == "masks":
                assert truth.masks is not None
                entry["segmentation"] = _encoded(truth.masks[row].numpy())
            annotations.append(entry)
    return {
        "info": {},
        "images": [{"id": picture, "height": 1, "width": 1} for picture in range(1, len(truths) + 1)],
        "categories": [{"id": i, "name": str(i)} for i in range(classes)],
        "annotations": annotations,
    }


def _answers(found: Sequence[Detections], truths: Sequence[TrueObjects], kind: Kind) -> list[dict[str, Any]]:
    """What was found, in the pixels of the picture, as COCO's results have it."""
    rows: list[dict[str, Any]] = []
    for picture, (one, truth) in enumerate(zip(found, truths, strict=True), 1):
        sx, sy = truth.scale
        boxes = one.boxes.numpy() / np.array([sx, sy, sx, sy], np.float32)
        for row in range(len(one)):
            entry = {
                "image_id": picture,
                "category_id": int(one.labels[row]),
                "score": float(one.scores[row]),
                "bbox": _xywh(boxes[row]),
            }
            if kind == "masks":
                assert one.masks is not None
                size = (1, 1) if truth.masks is None else tuple(truth.masks.shape[1:])
                mask = paste_mask(one.masks[row].numpy(), one.boxes[row].numpy(), size)  # type: ignore[arg-type]
                entry["segmentation"] = _encoded(mask)
            rows.append(entry)
    return rows


def _nothing(kind: Kind, truths: Sequence[TrueObjects]) -> dict[str, Any]:
    """A detection that matches nothing, of a category that is none: the library refuses an empty list."""
    entry: dict[str, Any] = {"image_id": 1, "category_id": -1, "score": 0.0, "bbox": [0.0, 0.0, 1.0, 1.0]}
    if kind == "masks":
        size = next(tuple(t.masks.shape[1:]) for t in truths if t.masks is not None)
        entry["segmentation"] = _encoded(np.zeros(size, np.uint8))
    return entry


def paste_mask(
    mask: Float[np.ndarray, "side side"], box: Float[np.ndarray, " 4"], size: tuple[int, int], threshold: float = 0.5
) -> UInt8[np.ndarray, "height width"]:
    """A mask that lies as a grid over a box, as pixels of a picture of `size` (height, width): 1 where it is likely.

    Each pixel asks the grid bilinearly at its centre (He et al. 2017, "Mask R-CNN", section 3.1).
    """
    height, width = size
    full = np.zeros(size, np.uint8)
    x1, y1, x2, y2 = (float(v) for v in box)
    left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
    right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
    if right <= left or bottom <= top or x2 <= x1 or y2 <= y1:
        return full
    side = mask.shape[0]
    xs = ((np.arange(left, right) + 0.5 - x1) / (x2 - x1) * side - 0.5).astype(np.float32)
    ys = ((np.arange(top, bottom) + 0.5 - y1) / (y2 - y1) * side - 0.5).astype(np.float32)
    grid_x, grid_y = np.meshgrid(xs, ys)
    looked = cv2.remap(mask.astype(np.float32), grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    full[top:bottom, left:right] = looked >= threshold
    return full


def _encoded(mask: UInt8[np.ndarray, "height width"]) -> Any:
    from faster_coco_eval.core import mask as codec

    return codec.encode(np.asfortranarray(mask))


def _xywh(box: Float[np.ndarray, " 4"]) -> list[float]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return [x1, y1, x2 - x1, y2 - y1]


def _box_areas(boxes: Float[np.ndarray, "objects 4"]) -> Float[np.ndarray, " objects"]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
