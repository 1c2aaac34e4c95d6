"""How much boxes overlap: IoU and its generalised, distance and complete forms.

Boxes are x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, in any unit. Each measure is written once, for boxes that
broadcast against each other: `measure(a, b)` pairs them row by row, `pairwise(measure, a, b)` takes all with all.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Boxes = Float[Tensor, "*rows 4"]
Overlap = Float[Tensor, "*rows"]

TINY = 1e-7  # keeps a division by the area or diagonal of an empty box finite


def area(boxes: Boxes) -> Overlap:
    """Width times height."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def iou(a: Boxes, b: Boxes, eps: float = TINY) -> Overlap:
    """Intersection over union, in [0, 1]; 0 for disjoint boxes and for two empty ones."""
    intersection, union = _intersection_and_union(a, b)
    return intersection / (union + eps)


def giou(a: Boxes, b: Boxes, eps: float = TINY) -> Overlap:
    """IoU less the share of the enclosing box that neither covers, in (-1, 1] (Rezatofighi et al. 2019, algorithm 1).

    Unlike IoU it still has a gradient when the boxes do not meet.
    """
    intersection, union = _intersection_and_union(a, b)
    enclosing = _enclosing(a, b).prod(dim=-1)
    return intersection / (union + eps) - (enclosing - union) / (enclosing + eps)


def diou(a: Boxes, b: Boxes, eps: float = TINY) -> Overlap:
    """IoU less (distance of the centres / diagonal of the enclosing box) squared (Zheng et al. 2020, eq. 7)."""
    diagonal = _enclosing(a, b).square().sum(dim=-1)
    distance = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2).square().sum(dim=-1)
    return iou(a, b, eps) - distance / (diagonal + eps)


def ciou(a: Boxes, b: Boxes, eps: float = TINY) -> Overlap:
    """DIoU less a penalty for other shapes, alpha v (Zheng et al. 2020, eq. 8 to 11); alpha carries no gradient."""
    shape = 4 / math.pi**2 * (_slant(a) - _slant(b)).square()
    with torch.no_grad():
        alpha = shape / (1 - iou(a, b, eps) + shape + eps)
    return diou(a, b, eps) - alpha * shape


def pairwise(
    measure: Callable[[Tensor, Tensor], Tensor], a: Float[Tensor, "rows 4"], b: Float[Tensor, "columns 4"]
) -> Float[Tensor, "rows columns"]:
    """`measure` of every box of `a` with every box of `b`."""
    return measure(a[:, None], b[None])


def _intersection_and_union(a: Boxes, b: Boxes) -> tuple[Overlap, Overlap]:
    sides = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])
    intersection = sides.clamp(min=0).prod(dim=-1)
    return intersection, area(a) + area(b) - intersection


def _enclosing(a: Boxes, b: Boxes) -> Float[Tensor, "*rows 2"]:
    """Width and height of the smallest box around both."""
    return torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])


def _slant(boxes: Boxes) -> Overlap:
    """The angle of a box's diagonal: arctan(width / height)."""
    return torch.atan2(boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1])
