"""What is left of detections at the edges of a picture."""

from dataclasses import replace

from osler.ops.boxes import SMALLEST, clip_boxes_to_image, remove_small_boxes
from osler.structures.detections import Detections


def cut_at_edges(found: Detections, picture: tuple[int, int]) -> Detections:
    """The detections with their boxes cut to a picture of that height and width, without those of which nothing is left."""
    boxes = clip_boxes_to_image(found.boxes, picture)
    return replace(found, boxes=boxes).select(remove_small_boxes(boxes, SMALLEST))
