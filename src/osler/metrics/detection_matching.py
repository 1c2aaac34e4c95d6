"""Which detection found which object: the matching of COCO's evaluation (Lin et al. 2014; cocodataset.org).

Within a picture and a class the surest detection chooses first: the free object with which it overlaps most, if that is
enough; else an ignored one, which it leaves free, for what meets an ignored object is neither right nor wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from osler.structures.detections import Detections, TrueObjects

OVERLAP = 0.5  # from which a box counts as the object's
MOST = 100  # detections of a class that count in a picture, as in COCO's evaluation


@dataclass(frozen=True, slots=True)
class Matched:
    """A picture's detections, the surest first, and the objects that they found."""

    scores: Float[np.ndarray, " found"]
    labels: Int[np.ndarray, " found"]
    overlaps: Float[np.ndarray, "found objects"]  # IoU; with a crowd the share of the detection that lies in it
    objects: Int[np.ndarray, " found"]  # the object that each met; -1: none
    true_labels: Int[np.ndarray, " objects"]
    ignored: Bool[np.ndarray, " objects"]

    @property
    def right(self) -> Bool[np.ndarray, " found"]:
        """Which detections found an object that counts."""
        return (self.objects >= 0) & ~self.excused

    @property
    def excused(self) -> Bool[np.ndarray, " found"]:
        """Which met an ignored object: neither right nor wrong."""
        excused: Bool[np.ndarray, " found"] = np.append(self.ignored, False)[self.objects]
        return excused

    @property
    def wrong(self) -> Bool[np.ndarray, " found"]:
        """Which met no object of their class that was still free."""
        return self.objects < 0

    @property
    def claimed(self) -> Bool[np.ndarray, " objects"]:
        """Which of the objects that count were found."""
        claimed = np.zeros(len(self.ignored), bool)
        claimed[self.objects[self.right]] = True
        return claimed

    @property
    def missed(self) -> Bool[np.ndarray, " objects"]:
        """Which of the objects that count were not found."""
        return ~self.ignored & ~self.claimed


def match_all(
    found: Sequence[Detections], truths: Sequence[TrueObjects], *, overlap: float = OVERLAP, threshold: float = 0.0
) -> list[Matched]:
    """`match` for each picture."""
    return [match(f, t, overlap=overlap, threshold=threshold) for f, t in zip(found, truths, strict=True)]


def match(found: Detections, truth: TrueObjects, *, overlap: float = OVERLAP, threshold: float = 0.0) -> Matched:
    """What each detection of a picture found.

    Args:
        found: on the CPU, in any order.
        truth: boxes in the same pixels.
        overlap: from which a detection can have found an object, in (0, 1].
        threshold: detections of a lower score are left out.
    """
    order = _counted(found, threshold)
    labels, true_labels = found.labels.numpy()[order], truth.labels.numpy()
    ignored = truth.ignored.numpy()
    overlaps = overlap_matrix(found.boxes.numpy()[order], truth)
    objects = np.full(len(order), -1)
    taken = np.zeros(len(ignored), bool)
    enough = (overlaps >= overlap) & (labels[:, None] == true_labels)
    for row in np.flatnonzero(enough.any(axis=1)):
        free = enough[row] & ~ignored & ~taken
        open_ = free if free.any() else enough[row] & ignored
        if open_.any():
            objects[row] = np.where(open_, overlaps[row], -1).argmax()
            taken[objects[row]] = True
    return Matched(found.scores.double().numpy()[order], labels, overlaps, objects, true_labels, ignored)


def overlap_matrix(boxes: Float[np.ndarray, "found 4"], truth: TrueObjects) -> Float[np.ndarray, "found objects"]:
    """IoU of each box with each true object; with a crowd the share of the box that lies in it; in double precision."""
    ours, theirs = boxes.astype(np.float64)[:, None], truth.boxes.numpy().astype(np.float64)[None]
    sides = np.minimum(ours[..., 2:], theirs[..., 2:]) - np.maximum(ours[..., :2], theirs[..., :2])
    both = sides.clip(min=0).prod(axis=-1)
    own, other = ((b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]) for b in (ours, theirs))
    crowd = np.zeros(len(truth), bool) if truth.crowd is None else truth.crowd.numpy()
    whole = np.where(crowd, own, own + other - both)
    shares: Float[np.ndarray, "found objects"] = np.divide(both, whole, out=np.zeros_like(both), where=whole > 0)
    return shares


def _counted(found: Detections, threshold: float) -> Int[np.ndarray, " counted"]:
    """The rows that count, the surest first (of equals the earlier): the surest hundred of each class."""
    scores, labels = found.scores.numpy(), found.labels.numpy()
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= threshold]
    keep = np.zeros(len(order), bool)
    for label in np.unique(labels[order]):
        keep[np.flatnonzero(labels[order] == label)[:MOST]] = True
    counted: Int[np.ndarray, " counted"] = order[keep]
    return counted
