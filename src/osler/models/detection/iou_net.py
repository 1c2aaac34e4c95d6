"""IoU-Net: Faster R-CNN that knows how well its boxes sit (Jiang et al. 2018, "Acquisition of Localization Confidence for
Accurate Object Detection", arXiv 1807.11590).

| detector | backbone | levels | pictures | parameters with 90 classes |
| --- | --- | --- | --- | --- |
| iou_net | resnet50 | pyramid, strides 4 to 64 | 800 | 55,796,336 |
| iou_net_light | mobilenet_v3_large | pyramid, strides 8 to 64 | 320 | 10,677,472 |

The detector on a pyramid, with precise RoI pooling for all heads and a branch that predicts the IoU of a box with its
object. What stays of many boxes is decided by that prediction, and what stays climbs along its gradient.
"""

from dataclasses import replace
from functools import partial
from typing import Annotated

from annotated_types import Ge, Gt, Len

from osler.models.detection.backbone import BackboneOption
from osler.models.detection.box_refinement import RefinementRule
from osler.models.detection.faster_rcnn import FULL, LIGHT, Scale, pyramid_detector
from osler.models.detection.overlap_head import OverlapHead, OverlapRule
from osler.models.detection.region_features import POOLS, RegionFeatures
from osler.models.detection.two_stage import TwoStageDetector
from osler.models.registry import detectors


def iou_net(
    scale: Scale,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    strides: Annotated[tuple[int, ...], Len(1)] | None = None,
    channels: Annotated[int, Gt(0)] | None = None,
    anchor: Annotated[float, Gt(0)] | None = None,
    ratios: Annotated[tuple[float, ...], Len(1)] = (0.5, 1.0, 2.0),
    steps: Annotated[int, Ge(0)] = 5,
) -> TwoStageDetector:
    """The detector on a pyramid with a branch for the overlap.

    Args:
        scale: how large it is where the options below leave that open.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        strides: of the backbone's maps that the pyramid takes, finest first, each twice the one before.
        channels: of the pyramid.
        anchor: side in pixels of the anchors of the finest level; each level's are twice the one's before.
        ratios: heights over widths of the anchors.
        steps: of the climb of each box that was found; 0 for none.
    """
    detector = pyramid_detector(
        scale,
        False,
        num_classes,
        in_channels,
        backbone,
        strides,
        channels,
        anchor,
        ratios,
        features="precise",
    )
    cut = RegionFeatures(detector.backbone.strides, pool=POOLS["precise"], canonical=scale.canonical)
    rule = OverlapRule(overlap=scale.regions.overlap, most=scale.regions.most)
    rule = replace(rule, refinement=RefinementRule(steps=steps))
    detector.overlaps = OverlapHead(cut, channels or scale.channels, num_classes, scale.width, rule)
    return detector


for name, scale in {"iou_net": FULL, "iou_net_light": LIGHT}.items():
    detectors.register(name)(partial(iou_net, scale))
