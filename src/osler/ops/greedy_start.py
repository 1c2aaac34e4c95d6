"""The plain loop of non-maximum suppression, for as long as each box that stays removes many others.

Where thousands of boxes lie around a few objects, the loop ends after a few steps and nothing is quicker. Where they
lie apart, it would take a step for nearly every box: it gives up after a few, and `suppression` goes on by pairs.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

STEPS = 8  # between two looks at what they have removed
# A step costs as much as settling this many boxes by pairs, and this share of those it is compared with.
PER_STEP, PER_BOX = 12, 0.003
FEW = 100  # so many are finished in the time that sorting them takes

Boxes = Float[np.ndarray, "boxes 4"]


def greedy_start(
    boxes: Boxes, groups: Int[np.ndarray, " boxes"] | None, threshold: float
) -> tuple[Bool[np.ndarray, " boxes"], Int[np.ndarray, " left"]]:
    """Which boxes were removed, and the indices of those that were not looked at yet.

    Args:
        boxes: by decreasing score; finite, x1 < x2 and y1 < y2.
        groups: only boxes of the same one remove each other.
        threshold: of IoU; a box stays at exactly the threshold.
    """
    removed = np.zeros(len(boxes), dtype=bool)
    left = np.arange(len(boxes))
    with np.errstate(over="ignore", under="ignore"):
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    columns = [*np.ascontiguousarray(boxes.T), areas]
    if groups is not None:
        columns.append(groups)
    while len(left):
        before = len(left)
        for _ in range(min(STEPS, before)):
            if not len(left):
                break
            gone = _overlapped_by_first(columns, threshold)
            removed[left[1:][gone]] = True
            stays = ~gone
            left, columns = left[1:][stays], [column[1:][stays] for column in columns]
        if len(left) > FEW and before - len(left) < STEPS * (PER_STEP + PER_BOX * before):
            break
    return removed, left


def _overlapped_by_first(columns: list[np.ndarray], threshold: float) -> Bool[np.ndarray, " others"]:
    x1, y1, x2, y2, area = columns[:5]
    width = np.minimum(x2[1:], x2[0]) - np.maximum(x1[1:], x1[0])
    height = np.minimum(y2[1:], y2[0]) - np.maximum(y1[1:], y1[0])
    with np.errstate(all="ignore"):  # areas beyond the type's range: what is no number exceeds nothing
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        over = shared / (area[0] + area[1:] - shared) > threshold
    return over if len(columns) == 5 else over & (columns[5][1:] == columns[5][0])
