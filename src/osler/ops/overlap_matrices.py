"""IoU and its kin of all boxes with all boxes, in torchvision's signatures, so that only an import need change."""

from functools import partial

from jaxtyping import Float, Shaped
from torch import Tensor

from osler.ops.box_overlap import TINY, area, ciou, diou, giou, iou, pairwise
from osler.ops.boxes import box_convert

First = Shaped[Tensor, "rows 4"]
Second = Shaped[Tensor, "columns 4"]
Matrix = Float[Tensor, "rows columns"]

LEAST = 1e-30  # makes 0 / 0 a 0 and changes no other quotient, however small the unit of the boxes


def box_area(boxes: Shaped[Tensor, "*boxes 4"], fmt: str = "xyxy") -> Shaped[Tensor, "*boxes"]:
    """Width times height; `fmt` is `xyxy`, `xywh` or `cxcywh`."""
    return area(_wide(boxes if fmt == "xyxy" else box_convert(boxes, fmt, "xyxy")))


def box_iou(boxes1: First, boxes2: Second, fmt: str = "xyxy") -> Matrix:
    """Intersection over union, in [0, 1]; 0 also for two empty boxes."""
    if fmt != "xyxy":
        boxes1, boxes2 = box_convert(boxes1, fmt, "xyxy"), box_convert(boxes2, fmt, "xyxy")
    return pairwise(partial(iou, eps=LEAST), _floating(boxes1), _floating(boxes2))


def generalized_box_iou(boxes1: First, boxes2: Second) -> Matrix:
    """IoU less the share of the enclosing box that neither covers, in (-1, 1] (Rezatofighi et al. 2019)."""
    return pairwise(partial(giou, eps=LEAST), _floating(boxes1), _floating(boxes2))


def distance_box_iou(boxes1: First, boxes2: Second, eps: float = TINY) -> Matrix:
    """IoU less the squared distance of the middles over the enclosing diagonal's square (Zheng et al. 2020)."""
    return pairwise(partial(diou, eps=eps), _floating(boxes1), _floating(boxes2))


def complete_box_iou(boxes1: First, boxes2: Second, eps: float = TINY) -> Matrix:
    """DIoU less a penalty for another ratio of width to height (Zheng et al. 2020)."""
    return pairwise(partial(ciou, eps=eps), _floating(boxes1), _floating(boxes2))


def _floating(boxes: Tensor) -> Tensor:
    """Whole numbers and half precision as float32: an area soon outgrows them."""
    return boxes if boxes.is_floating_point() and boxes.element_size() >= 4 else boxes.float()


def _wide(boxes: Tensor) -> Tensor:
    """Half precision as float32, small whole numbers as int64."""
    return _floating(boxes) if boxes.is_floating_point() else boxes.long()
