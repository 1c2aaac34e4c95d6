"""Average precision as Pascal VOC defines it (Everingham et al. 2010, section 4.2; its development kits).

A detection is judged by the object of its class with which it overlaps most, at an IoU of 0.5 or more: the surest one
for an object is right, the others are false. One whose object is difficult (or a crowd) is left out, however many
there are. Unlike COCO's matching it looks at no second-best object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from osler.metrics.curves import mean_over_classes
from osler.metrics.detection_curves import eleven_point_area, whole_area
from osler.metrics.detection_matching import OVERLAP, overlap_matrix
from osler.structures.detections import Detections, TrueObjects


@dataclass(frozen=True, slots=True)
class PascalVoc:
    """Average precision of each class at IoU 0.5, NaN for a class of which there is no object to find."""

    eleven_points: Float[np.ndarray, " classes"]  # the rule until 2009
    all_points: Float[np.ndarray, " classes"]  # the rule since 2010

    def numbers(self) -> dict[str, float]:
        """The means over the classes that have objects; 0 where none has."""
        both = {"voc_ap50": self.all_points, "voc07_ap50": self.eleven_points}
        return {name: float(np.nan_to_num(mean_over_classes(areas.tolist()))) for name, areas in both.items()}


def pascal_voc(found: Sequence[Detections], truths: Sequence[TrueObjects], classes: int) -> PascalVoc:
    """Both average precisions of each class.

    Args:
        found: of each picture, on the CPU.
        truths: of each picture, in the same order.
        classes: how many there are.
    """
    judged = [judge(f, t) for f, t in zip(found, truths, strict=True)]
    eleven, whole = np.full(classes, np.nan), np.full(classes, np.nan)
    for label in range(classes):
        objects = sum(int((t.counted.labels == label).sum()) for t in truths)
        rows = [(labels == label) & (verdicts >= 0) for _, labels, verdicts in judged]
        scores = np.concatenate([j[0][r] for j, r in zip(judged, rows, strict=True)] or [np.zeros(0)])
        right = np.concatenate([j[2][r] for j, r in zip(judged, rows, strict=True)] or [np.zeros(0)]).astype(bool)
        order = np.argsort(-scores, kind="stable")
        eleven[label], whole[label] = (area(right[order], objects) for area in (eleven_point_area, whole_area))
    return PascalVoc(eleven, whole)


def judge(found: Detections, truth: TrueObjects) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores and labels of a picture's detections, the surest first, and the verdicts: 1 right, 0 false, -1 left out."""
    order = np.argsort(-found.scores.numpy(), kind="stable")
    labels, true_labels, ignored = found.labels.numpy()[order], truth.labels.numpy(), truth.ignored.numpy()
    verdicts = np.zeros(len(order), int)
    overlaps = _plain_overlaps(found, truth)[order]
    overlaps = np.where(labels[:, None] == true_labels, overlaps, -1.0)
    taken: Bool[np.ndarray, " objects"] = np.zeros(len(ignored), bool)
    for row in np.flatnonzero((overlaps >= OVERLAP).any(axis=1)):
        best = overlaps[row].argmax()
        verdicts[row] = -1 if ignored[best] else int(not taken[best])
        taken[best] = True
    return found.scores.numpy()[order], labels, verdicts


def _plain_overlaps(found: Detections, truth: TrueObjects) -> Float[np.ndarray, "found objects"]:
    """IoU throughout: VOC knows difficult objects, and no crowds."""
    plain = TrueObjects(truth.boxes, truth.labels, truth.ignored)
    return overlap_matrix(found.boxes.numpy(), plain)
