"""How wrong a detector is on one picture: objects missed and objects that are not there."""

from osler.metrics.detection_matching import match
from osler.structures.detections import Detections, TrueObjects


def picture_errors(found: Detections, truth: TrueObjects, threshold: float) -> tuple[int, int]:
    """How many objects were missed, and how many false ones found, with a score of at least `threshold`."""
    matched = match(found, truth, threshold=threshold)
    return int(matched.missed.sum()), int(matched.wrong.sum())
