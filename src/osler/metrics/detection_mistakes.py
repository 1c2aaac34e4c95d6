"""How wrong a detector is on one picture: objects missed and objects that are not there."""

import torch

from osler.ops.box_overlap import iou, pairwise
from osler.structures.detections import Detections, TrueObjects

OVERLAP = 0.5  # from which a box counts as the object's


def picture_errors(found: Detections, truth: TrueObjects, threshold: float) -> int:
    """Missed objects and false ones, among what was found with a score of at least `threshold`.

    What was found claims, the surest first, the object of its class with which it overlaps most and which is still
    free. What overlaps an ignored object is neither right nor wrong.
    """
    shown = found.select(found.scores >= threshold)
    shown = shown.select(shown.scores.argsort(descending=True))
    free = ~truth.ignored.clone()
    false = 0
    overlaps = pairwise(iou, shown.boxes, truth.boxes)
    for row in range(len(shown)):
        fits = (overlaps[row] >= OVERLAP) & (truth.labels == shown.labels[row])
        open_ = fits & free
        if open_.any():
            free[torch.where(open_, overlaps[row], -1.0).argmax()] = False
        elif not (fits & truth.ignored).any():
            false += 1
    return false + int(free.sum())
