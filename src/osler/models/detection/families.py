"""Every kind of detector. Importing this file fills the registry."""

from osler.models.detection import (
    faster_rcnn,
    iou_net,
    public_detectors,
    rcnn,
    retinanet,
    single_level,
    ssd,
    yolo_free,
    yolo_v1,
    yolo_v3,
)

__all__ = [
    "faster_rcnn",
    "iou_net",
    "public_detectors",
    "rcnn",
    "retinanet",
    "single_level",
    "ssd",
    "yolo_free",
    "yolo_v1",
    "yolo_v3",
]
