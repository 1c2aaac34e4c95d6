"""NMS and RoI align as single nodes of an exported graph: `torch.ops.osler.nms` and `torch.ops.osler.roi_align`.

How many boxes stay, and how many positions lie under a region, depends on numbers that a graph does not know; so while
`torch.export` traces, each becomes one node. An exporter to ONNX translates them to that format's NonMaxSuppression and
RoiAlign (`custom_translation_table` of `torch.onnx.export`).
"""

import torch
from torch import Tensor

from osler.ops.roi_alignment import roi_align
from osler.ops.suppression import nms


@torch.library.custom_op("osler::nms", mutates_args=())
def nms_node(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """As `nms`."""
    return nms(boxes, scores, iou_threshold)


@nms_node.register_fake
def _(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    kept = torch.library.get_ctx().new_dynamic_size()
    return boxes.new_empty(kept, dtype=torch.int64)


@torch.library.custom_op("osler::roi_align", mutates_args=())
def roi_align_node(
    maps: Tensor, rois: Tensor, rows: int, columns: int, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """As `roi_align`, for rows of picture, x1, y1, x2, y2."""
    return roi_align(maps, rois, (rows, columns), spatial_scale, sampling_ratio, aligned).contiguous()


@roi_align_node.register_fake
def _(
    maps: Tensor, rois: Tensor, rows: int, columns: int, spatial_scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    return maps.new_empty(rois.shape[0], maps.shape[1], rows, columns)


def apart(boxes: Tensor, groups: Tensor) -> Tensor:
    """Boxes moved so that those of different groups, numbered from 0, do not meet: one NMS does for all of them."""
    if not boxes.is_floating_point():
        boxes = boxes.float()
    extent = boxes.max() - boxes.min() + 1
    return boxes + (groups.to(boxes) * extent)[:, None]
