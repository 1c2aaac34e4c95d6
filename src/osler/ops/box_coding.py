"""Boxes as the numbers that a network predicts, and back: relative to an anchor, a point or a cell.

Boxes are `xyxy`, in one unit with what they are coded against.

- Anchors (Girshick et al. 2014, appendix C; Faster R-CNN, RetinaNet, and SSD, whose "variances" are 1 / weights): the
  middle's offset over the anchor's size, so that a picture twice as large has the same numbers, and the logarithm of
  the ratio of sizes, so that every number decodes to a positive size.
- Points (Tian et al. 2019, "FCOS", eq. 1): the distances to the four sides.
- Cells: YOLO v3 (Redmon, Farhadi 2018, section 2.1) and YOLO v1 (Redmon et al. 2016, section 2).
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

Boxes = Float[Tensor, "*boxes 4"]
Deltas = Float[Tensor, "*boxes 4"]
Points = Float[Tensor, "*boxes 2"]
Cells = Int[Tensor, "*boxes 2"]  # column, row
Strides = float | Float[Tensor, "*boxes 1"]
Weights = tuple[float, float, float, float]

NO_WEIGHTS: Weights = (1.0, 1.0, 1.0, 1.0)
SSD_WEIGHTS: Weights = (10.0, 10.0, 5.0, 5.0)  # variances 0.1 and 0.2; also of Fast and Faster R-CNN's heads
LARGEST_LOG = math.log(1000 / 16)  # an anchor of 16 pixels grows to no more than 1000: exp must not overflow


def encode_boxes(boxes: Boxes, anchors: Boxes, weights: Weights = NO_WEIGHTS) -> Deltas:
    """dx / w, dy / h, log w ratio, log h ratio of boxes against anchors, each times its weight.

    Boxes need an area, and so do anchors: a box without one would have the logarithm of 0.
    """
    middle, size = _middle_and_size(anchors)
    target, target_size = _middle_and_size(boxes)
    return torch.cat(((target - middle) / size, torch.log(target_size / size)), dim=-1) * anchors.new_tensor(weights)


def decode_boxes(
    deltas: Deltas, anchors: Boxes, weights: Weights = NO_WEIGHTS, largest_log: float = LARGEST_LOG
) -> Boxes:
    """The boxes that `encode_boxes` codes so; the logarithms of sizes are cut at `largest_log`."""
    middle, size = _middle_and_size(anchors)
    plain = deltas / deltas.new_tensor(weights)
    return _box(middle + plain[..., :2] * size, plain[..., 2:].clamp(max=largest_log).exp() * size)


def encode_distances(boxes: Boxes, points: Points) -> Float[Tensor, "*boxes 4"]:
    """How far left, up, right and down of a point the sides are; negative where the point lies outside the box."""
    return torch.cat((points - boxes[..., :2], boxes[..., 2:] - points), dim=-1)


def decode_distances(distances: Float[Tensor, "*boxes 4"], points: Points) -> Boxes:
    """The boxes whose sides are so far from the points."""
    return torch.cat((points - distances[..., :2], points + distances[..., 2:]), dim=-1)


def encode_yolo_anchors(
    boxes: Boxes, cells: Cells, anchor_sizes: Float[Tensor, "*boxes 2"], stride: Strides
) -> Float[Tensor, "*boxes 4"]:
    """The targets of YOLO v3: the middle's place within its cell, in [0, 1], and the logarithms of the sizes' ratios.

    The first two are what the sigmoid of the outputs should be, the last two the outputs themselves.
    """
    middle, size = _middle_and_size(boxes)
    return torch.cat((middle / stride - cells, torch.log(size / anchor_sizes)), dim=-1)


def decode_yolo_anchors(
    outputs: Float[Tensor, "*boxes 4"], cells: Cells, anchor_sizes: Float[Tensor, "*boxes 2"], stride: Strides
) -> Boxes:
    """Boxes of YOLO v3's outputs: the middle never leaves its cell; sizes are cut as in `decode_boxes`."""
    middle = (torch.sigmoid(outputs[..., :2]) + cells) * stride
    return _box(middle, outputs[..., 2:].clamp(max=LARGEST_LOG).exp() * anchor_sizes)


def encode_yolo_grid(boxes: Boxes, size: tuple[int, int], grid: int) -> tuple[Cells, Float[Tensor, "*boxes 4"]]:
    """The targets of YOLO v1: the cell (column, row) in which the middle lies, and four numbers in [0, 1].

    These are the middle's place within the cell, and the square roots of width and height as shares of the picture of
    `size` (height, width): an error of a few pixels so weighs more for a small box.
    """
    middle, sides = _middle_and_size(boxes)
    whole = boxes.new_tensor((size[1], size[0]))
    place = middle / whole * grid
    cells = place.floor().clamp(0, grid - 1)
    return cells.long(), torch.cat((place - cells, (sides / whole).clamp(min=0).sqrt()), dim=-1)


def decode_yolo_grid(outputs: Float[Tensor, "*boxes 4"], cells: Cells, size: tuple[int, int], grid: int) -> Boxes:
    """Boxes of YOLO v1's outputs; a negative root counts as its opposite."""
    whole = outputs.new_tensor((size[1], size[0]))
    return _box((outputs[..., :2] + cells) / grid * whole, outputs[..., 2:].square() * whole)


def _middle_and_size(boxes: Boxes) -> tuple[Points, Points]:
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + size / 2, size


def _box(middle: Points, size: Points) -> Boxes:
    return torch.cat((middle - size / 2, middle + size / 2), dim=-1)
