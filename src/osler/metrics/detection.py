"""COCO's numbers for detectors (Lin et al. 2014, "Microsoft COCO", and cocodataset.org's detection evaluation).

AP is the mean over ten overlaps (IoU 0.50 to 0.95) and the classes of the area under the precision-recall curve, sampled at
101 recalls; AR the recall with at most so many detections of a class in a picture, and never more than the surest 100
count. The counting is faster-coco-eval's, which equals pycocotools'.

Sizes are those of objects in their own pictures, as annotated: small below 32 x 32 pixels, large from 96 x 96 on.

Difficult objects, which COCO does not know, are treated as Pascal VOC treats them: whatever overlaps one enough (by IoU)
is left out, as COCO leaves out what lies in a crowd.

Masks are compared as they lie in the network's input, to which the truth was brought as well. Scaling both changes no
IoU but for the rounding along the edges, and the input has all the detail that the network was shown; areas are counted
in pixels of the picture all the same.
"""

import contextlib
import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from osler.metrics.pascal_voc import pascal_voc
from osler.structures.detections import Detections, TrueObjects

Kind = Literal["boxes", "masks"]
Size = tuple[int, int]  # height, width
# The twelve numbers of COCO's summary, in its order.
NUMBERS = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


def detection_scores(
    found: Sequence[Detections], truths: Sequence[TrueObjects], names: Sequence[str]
) -> dict[str, float]:
    """COCO's numbers for boxes under their own names, and with `mask_` before them where both sides have masks.

    After them Pascal VOC's for boxes, by its rule since 2010 (`voc_ap50`) and its older one (`voc07_ap50`). A number
    for which there is nothing to count (no small object in the whole set) is left out.
    """
    scores = coco_numbers(found, truths, len(names), kind="boxes")
    if _have_masks(found, truths):
        masks = coco_numbers(found, truths, len(names), kind="masks")
        scores |= {f"mask_{name}": value for name, value in masks.items()}
    return scores | pascal_voc(found, truths, len(names)).numbers()


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
        sizes = [_size(f, t) for f, t in zip(found, truths, strict=True)]
        truth = COCO(_dataset(truths, sizes, classes, kind))
        rows, areas = _answers(found, truths, sizes, kind)
        answers = truth.loadRes(rows)
        for row, area in enumerate(areas, 1):
            answers.anns[row]["area"] = area  # the library takes the box's also for a mask
        evaluation = COCOeval_faster(truth, answers, "bbox" if kind == "boxes" else "segm", print_function=_silent)
        evaluation.computeIoU = _overlaps(evaluation, truth.dataset["annotations"])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _overlaps(evaluation: Any, annotations: list[dict[str, Any]]) -> Callable[[int, int], Any]:
    """The evaluation's overlaps, for which a difficult object is an object, whereas for the matching it is a crowd.

    The library lets `ignore` pass for crowds alone, as pycocotools does. A crowd is met by many; but it overlaps by the
    share of the detection that lies in it, which would excuse any small box inside a difficult object.
    """
    compute, difficult = evaluation.computeIoU, defaultdict(list)
    for entry in annotations:
        if entry["difficult"]:
            difficult[entry["image_id"], entry["category_id"]].append(entry)

    def overlaps(picture: int, label: int) -> Any:
        for entry in difficult[picture, label]:
            entry["iscrowd"] = 0
        found = compute(picture, label)
        for entry in difficult[picture, label]:
            entry["iscrowd"] = 1
        return found

    return overlaps


def _silent(*_: object) -> None:
    """The library's progress is not the person's concern."""


def _have_masks(found: Sequence[Detections], truths: Sequence[TrueObjects]) -> bool:
    return any(t.masks is not None for t in truths) and any(f.masks is not None for f in found)


def _dataset(truths: Sequence[TrueObjects], sizes: Sequence[Size], classes: int, kind: Kind) -> dict[str, Any]:
    """The truth as COCO's JSON has it. Pictures are numbered from 1, for 0 means none there."""
    annotations: list[dict[str, Any]] = []
    for picture, (truth, size) in enumerate(zip(truths, sizes, strict=True), 1):
        boxes = truth.boxes.numpy() / _four(truth.scale)
        areas = _true_areas(truth, boxes, kind).tolist()
        crowd = np.zeros(len(truth), bool) if truth.crowd is None else truth.crowd.numpy()
        for row, ignored in enumerate(truth.ignored.tolist()):
            entry = {
                "id": len(annotations) + 1,
                "image_id": picture,
                "category_id": int(truth.labels[row]),
                "bbox": _xywh(boxes[row]),
                "area": areas[row],
                "iscrowd": int(ignored),
                "difficult": ignored and not crowd[row],
            }
            if kind == "masks":
                entry["segmentation"] = _encoded(_true_mask(truth, row, size))
            annotations.append(entry)
    return {
        "info": {},
        "images": [{"id": i, "height": h, "width": w} for i, (h, w) in enumerate(sizes, 1)],
        "categories": [{"id": i, "name": str(i)} for i in range(classes)],
        "annotations": annotations,
    }


def _answers(
    found: Sequence[Detections], truths: Sequence[TrueObjects], sizes: Sequence[Size], kind: Kind
) -> tuple[list[dict[str, Any]], list[float]]:
    """What was found, as COCO's results have it, and the areas, both in the pixels of the picture."""
    rows: list[dict[str, Any]] = []
    areas: list[float] = []
    for picture, (one, truth, size) in enumerate(zip(found, truths, sizes, strict=True), 1):
        boxes = one.boxes.numpy() / _four(truth.scale)
        own = _box_areas(boxes)
        for row in range(len(one)):
            entry = {
                "image_id": picture,
                "category_id": int(one.labels[row]),
                "score": float(one.scores[row]),
                "bbox": _xywh(boxes[row]),
            }
            area = float(own[row])
            if kind == "masks":
                mask = _found_mask(one, row, size)
                entry["segmentation"] = _encoded(mask)
                area = float(mask.sum() / np.prod(truth.scale))
            rows.append(entry)
            areas.append(area)
    return rows, areas


def _size(found: Detections, truth: TrueObjects) -> Size:
    """Height and width of the masks of a picture; where the truth has none, so large that all boxes lie inside."""
    if truth.masks is not None:
        return int(truth.masks.shape[1]), int(truth.masks.shape[2])
    corners = torch.cat([found.boxes[:, 2:], truth.boxes[:, 2:], torch.ones(1, 2)]).amax(dim=0).ceil()
    return int(corners[1]), int(corners[0])


def _true_mask(truth: TrueObjects, row: int, size: Size) -> UInt8[np.ndarray, "height width"]:
    """An object's mask; empty in a picture that was annotated without."""
    return np.zeros(size, np.uint8) if truth.masks is None else truth.masks[row].numpy()


def _found_mask(found: Detections, row: int, size: Size) -> UInt8[np.ndarray, "height width"]:
    """A detection's mask in its picture; empty where the detector gave none."""
    if found.masks is None:
        return np.zeros(size, np.uint8)
    return paste_mask(found.masks[row].numpy(), found.boxes[row].numpy(), size)


def _true_areas(truth: TrueObjects, boxes: Float[np.ndarray, "objects 4"], kind: Kind) -> Float[np.ndarray, " objects"]:
    """As annotated; else of what is judged, in pixels of the picture."""
    if truth.areas is not None:
        return truth.areas.double().numpy()
    if kind == "masks" and truth.masks is not None:
        return truth.masks.numpy().sum(axis=(1, 2)) / float(np.prod(truth.scale))
    return _box_areas(boxes)


def _four(scale: tuple[float, float]) -> Float[np.ndarray, " 4"]:
    return np.array([*scale, *scale], np.float32)


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
