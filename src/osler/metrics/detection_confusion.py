"""The confusion matrix of a detector: classes taken for one another, objects not found, and things that are not there."""

from collections.abc import Sequence

import numpy as np

from osler.metrics.counts import ConfusionMatrix
from osler.metrics.detection_matching import OVERLAP, Matched

BACKGROUND = "background"


def detection_confusion(matches: Sequence[Matched], names: Sequence[str]) -> ConfusionMatrix:
    """Objects against detections, a row a true class, with background last on both sides.

    What found an object of its class stands on the diagonal. What is left over is joined by overlap, the greatest first
    and from 0.5 on, whatever the classes say: one class taken for another. An object to which then nothing belongs was
    taken for background (last column); a detection to which nothing belongs, duplicates included, took background for an
    object (last row). Detections that meet an ignored object are left out.

    Args:
        matches: pictures matched from the score on that is asked about.
        names: of the classes.
    """
    counts = np.zeros((len(names) + 1, len(names) + 1), np.int64)
    for matched in matches:
        for truth, answer in _pairs(matched, len(names)):
            counts[truth, answer] += 1
    return ConfusionMatrix(counts, (*names, BACKGROUND))


def _pairs(matched: Matched, background: int) -> list[tuple[int, int]]:
    """True and found class of everything in a picture."""
    pairs = [(int(v), int(v)) for v in matched.labels[matched.right]]
    excused = (np.where(matched.ignored, matched.overlaps, 0.0) >= OVERLAP).any(axis=1)
    rows, columns = np.flatnonzero(matched.wrong & ~excused), np.flatnonzero(matched.missed)
    overlaps = matched.overlaps[np.ix_(rows, columns)].copy()
    while overlaps.size and overlaps.max() >= OVERLAP:
        row, column = np.unravel_index(overlaps.argmax(), overlaps.shape)
        pairs.append((int(matched.true_labels[columns[column]]), int(matched.labels[rows[row]])))
        overlaps = np.delete(np.delete(overlaps, row, axis=0), column, axis=1)
        rows, columns = np.delete(rows, row), np.delete(columns, column)
    pairs += [(int(v), background) for v in matched.true_labels[columns]]
    return pairs + [(background, int(v)) for v in matched.labels[rows]]
