"""Non-maximum suppression led by how well a box is predicted to sit, and not by how sure its class is.

Jiang et al. 2018, "Acquisition of Localization Confidence for Accurate Object Detection", algorithm 1: the box with the
highest predicted IoU stays, removes those that it overlaps, and takes the highest class score among them and itself.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.ops.overlap_matrices import box_iou
from osler.ops.suppression import batched_nms

KEPT_AT_ONCE = 256


def iou_guided_nms(
    boxes: Float[Tensor, "boxes 4"],
    scores: Float[Tensor, " boxes"],
    localization: Float[Tensor, " boxes"],
    iou_threshold: float,
    idxs: Int[Tensor, " boxes"] | None = None,
) -> tuple[Int[Tensor, " kept"], Float[Tensor, " kept"]]:
    """The indices of the boxes that stay, by decreasing localisation confidence, and the scores that they take over.

    Args:
        boxes: `xyxy`.
        scores: of the class.
        localization: the predicted IoU of each box with its object.
        iou_threshold: in [0, 1].
        idxs: the group of each box, such as its class; only boxes of one group remove each other. None: all are one.

    Raises:
        ValueError: the shapes do not fit, or the threshold is outside its range.
    """
    groups = torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device) if idxs is None else idxs
    keep = batched_nms(boxes, localization, groups, iou_threshold)
    taken = scores[keep].clone()
    free = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    free[keep] = False
    for part in torch.arange(len(keep), device=boxes.device).split(KEPT_AT_ONCE):
        mine, others = keep[part], free.nonzero().flatten()
        if not len(others):
            break
        over = box_iou(boxes[mine], boxes[others]) > iou_threshold
        over &= groups[mine][:, None] == groups[others]
        claimed = over.any(0)
        first = over[:, claimed].to(torch.uint8).argmax(0)  # the first that stays claims a box
        taken.scatter_reduce_(0, part[first], scores[others[claimed]], "amax")
        free[others[claimed]] = False
    return keep, taken
