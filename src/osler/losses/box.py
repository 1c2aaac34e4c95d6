"""Losses on boxes: one less their overlap with the true box, pair by pair. Boxes are x1, y1, x2, y2; of none it is 0."""

from jaxtyping import Float
from torch import Tensor

from osler.losses.reduction import Reduction, reduce
from osler.ops.box_overlap import ciou, diou, giou, iou

Boxes = Float[Tensor, "*objects 4"]


def iou_loss(outputs: Boxes, target: Boxes, *, reduction: Reduction = "mean") -> Tensor:
    """1 - IoU, in [0, 1]. Boxes that do not meet have loss 1 and no gradient: that is what the others mend."""
    return reduce(1 - iou(outputs, target), reduction)


def giou_loss(outputs: Boxes, target: Boxes, *, reduction: Reduction = "mean") -> Tensor:
    """1 - GIoU, in [0, 2) (Rezatofighi et al. 2019)."""
    return reduce(1 - giou(outputs, target), reduction)


def diou_loss(outputs: Boxes, target: Boxes, *, reduction: Reduction = "mean") -> Tensor:
    """1 - DIoU, in [0, 2): also pulls the centres together (Zheng et al. 2020)."""
    return reduce(1 - diou(outputs, target), reduction)


def ciou_loss(outputs: Boxes, target: Boxes, *, reduction: Reduction = "mean") -> Tensor:
    """1 - CIoU: also matches the ratio of width to height (Zheng et al. 2020)."""
    return reduce(1 - ciou(outputs, target), reduction)
