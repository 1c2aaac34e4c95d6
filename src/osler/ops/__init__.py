"""Pure functions on tensors.

Those of detection stand here under the names and arguments of `torchvision.ops`, so that a person changes the import
and nothing else; each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osler.ops.box_fusion import weighted_boxes_fusion as weighted_boxes_fusion
    from osler.ops.boxes import box_convert as box_convert
    from osler.ops.boxes import clip_boxes_to_image as clip_boxes_to_image
    from osler.ops.boxes import masks_to_boxes as masks_to_boxes
    from osler.ops.boxes import remove_small_boxes as remove_small_boxes
    from osler.ops.focal import sigmoid_focal_loss as sigmoid_focal_loss
    from osler.ops.guided_suppression import iou_guided_nms as iou_guided_nms
    from osler.ops.overlap_losses import complete_box_iou_loss as complete_box_iou_loss
    from osler.ops.overlap_losses import distance_box_iou_loss as distance_box_iou_loss
    from osler.ops.overlap_losses import generalized_box_iou_loss as generalized_box_iou_loss
    from osler.ops.overlap_matrices import box_area as box_area
    from osler.ops.overlap_matrices import box_iou as box_iou
    from osler.ops.overlap_matrices import complete_box_iou as complete_box_iou
    from osler.ops.overlap_matrices import distance_box_iou as distance_box_iou
    from osler.ops.overlap_matrices import generalized_box_iou as generalized_box_iou
    from osler.ops.precise_roi import precise_roi_pool as precise_roi_pool
    from osler.ops.roi_alignment import roi_align as roi_align
    from osler.ops.roi_layers import MultiScaleRoIAlign as MultiScaleRoIAlign
    from osler.ops.roi_layers import RoIAlign as RoIAlign
    from osler.ops.roi_layers import RoIPool as RoIPool
    from osler.ops.roi_pooling import roi_pool as roi_pool
    from osler.ops.soft_suppression import soft_nms as soft_nms
    from osler.ops.suppression import batched_nms as batched_nms
    from osler.ops.suppression import nms as nms

# No file may bear the name of a function: importing the file would put itself in the function's place.
_PLACES = {
    "MultiScaleRoIAlign": "roi_layers",
    "RoIAlign": "roi_layers",
    "RoIPool": "roi_layers",
    "batched_nms": "suppression",
    "box_area": "overlap_matrices",
    "box_convert": "boxes",
    "box_iou": "overlap_matrices",
    "clip_boxes_to_image": "boxes",
    "complete_box_iou": "overlap_matrices",
    "complete_box_iou_loss": "overlap_losses",
    "distance_box_iou": "overlap_matrices",
    "distance_box_iou_loss": "overlap_losses",
    "generalized_box_iou": "overlap_matrices",
    "generalized_box_iou_loss": "overlap_losses",
    "iou_guided_nms": "guided_suppression",
    "masks_to_boxes": "boxes",
    "nms": "suppression",
    "precise_roi_pool": "precise_roi",
    "remove_small_boxes": "boxes",
    "roi_align": "roi_alignment",
    "roi_pool": "roi_pooling",
    "sigmoid_focal_loss": "focal",
    "soft_nms": "soft_suppression",
    "weighted_boxes_fusion": "box_fusion",
}

__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"osler.ops.{_PLACES[name]}"), name)
    raise AttributeError(f"osler.ops has no {name!r}. It has: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return __all__
