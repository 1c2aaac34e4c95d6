"""Losses on boxes, pair by pair, in torchvision's signatures. Boxes are x1, y1, x2, y2.

`osler.losses.box` has the same as our recipes name them (a mean, with IoU's own beside them).
"""

from jaxtyping import Float
from torch import Tensor

from osler.ops.box_overlap import TINY, ciou, diou, giou
from osler.ops.reduction import Reduction, reduce

Boxes = Float[Tensor, "*boxes 4"]


def generalized_box_iou_loss(boxes1: Boxes, boxes2: Boxes, reduction: Reduction = "none", eps: float = TINY) -> Tensor:
    """1 - GIoU, in [0, 2) (Rezatofighi et al. 2019)."""
    return reduce(1 - giou(boxes1, boxes2, eps), reduction)


def distance_box_iou_loss(boxes1: Boxes, boxes2: Boxes, reduction: Reduction = "none", eps: float = TINY) -> Tensor:
    """1 - DIoU, in [0, 2) (Zheng et al. 2020)."""
    return reduce(1 - diou(boxes1, boxes2, eps), reduction)


def complete_box_iou_loss(boxes1: Boxes, boxes2: Boxes, reduction: Reduction = "none", eps: float = TINY) -> Tensor:
    """1 - CIoU, at least 0 (Zheng et al. 2020)."""
    return reduce(1 - ciou(boxes1, boxes2, eps), reduction)
