"""How well a detector finds each class: a row of average precisions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from osler.metrics.detection import Kind, evaluate_coco
from osler.metrics.pascal_voc import pascal_voc
from osler.structures.detections import Detections, TrueObjects


@dataclass(frozen=True, slots=True)
class ClassFound:
    """One class. Numbers lie in [0, 1]; NaN where there is no object of the class to find, or no masks."""

    name: str
    objects: int  # to be found
    ap: float  # COCO's: the mean over ten overlaps
    ap50: float
    ap75: float
    ar: float  # the recall with at most 100 detections a picture, over the same overlaps
    voc: float  # AP at IoU 0.5 by Pascal VOC's rule since 2010
    voc07: float  # and by its rule of eleven points
    mask_ap: float


def classes_found(
    found: Sequence[Detections], truths: Sequence[TrueObjects], names: Sequence[str], *, masks: bool = False
) -> list[ClassFound]:
    """A row for each class, in the order of the names; `masks`: whether their AP is asked for."""
    boxes = _by_class(found, truths, len(names), "boxes")
    outlines = _by_class(found, truths, len(names), "masks") if masks else np.full((4, len(names)), np.nan)
    voc = pascal_voc(found, truths, len(names))
    objects = [sum(int((t.counted.labels == label).sum()) for t in truths) for label in range(len(names))]
    return [
        ClassFound(
            name,
            objects[i],
            ap=float(boxes[0, i]),
            ap50=float(boxes[1, i]),
            ap75=float(boxes[2, i]),
            ar=float(boxes[3, i]),
            voc=float(voc.all_points[i]),
            voc07=float(voc.eleven_points[i]),
            mask_ap=float(outlines[0, i]),
        )
        for i, name in enumerate(names)
    ]


def _by_class(found: Sequence[Detections], truths: Sequence[TrueObjects], classes: int, kind: Kind) -> np.ndarray:
    """AP, AP50, AP75 and AR of each class, a column a class."""
    evaluation = evaluate_coco(found, truths, classes, kind=kind)
    if evaluation is None:
        return np.full((4, classes), np.nan)
    precision = evaluation.eval["precision"][..., 0, -1]  # overlaps, recalls, classes: all sizes, 100 detections
    recall = evaluation.eval["recall"][..., 0, -1]  # overlaps, classes
    rows = [precision.mean(axis=(0, 1)), precision[0].mean(axis=0), precision[5].mean(axis=0), recall.mean(axis=0)]
    return np.where(recall[0] < 0, np.nan, np.stack(rows))
