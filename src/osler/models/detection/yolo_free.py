"""YOLO without anchors, in today's manner: what the detectors since 2021 have in common, from published parts.

| detector | backbone | levels | pictures | parameters with 90 classes |
| --- | --- | --- | --- | --- |
| yolo_free | resnet50 | path aggregation, strides 8, 16, 32 | 640 | 35,911,514 |
| yolo_free_light | mobilenet_v3_large | path aggregation, strides 8, 16, 32 | 320 | 3,569,994 |

A point at the middle of each cell; classes and boxes looked for by convolutions of their own (a decoupled head, Ge et al.
2021, "YOLOX", arXiv 2107.08430, section 2.1, here without an objectness); points matched by task alignment (Feng et al.
2021, "TOOD", arXiv 2108.07755, section 3.2) or by SimOTA (YOLOX); GIoU (Rezatofighi et al. 2019) or CIoU (Zheng et al.
2020) for the boxes; scores that learn how good a box is. The neck is that of Liu et al. 2018.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from annotated_types import Gt, Len
from torch import nn

from osler.models.detection.backbone import BackboneOption, make_backbone
from osler.models.detection.dense_head import PRIOR, DenseHead, prior_logit
from osler.models.detection.one_stage import OneStageDetector
from osler.models.detection.point_reading import BoxLoss, Matching, PointReading
from osler.models.detection.yolo_v3 import NECKS, Neck
from osler.models.registry import detectors
from osler.nn.convolution import conv_norm_act


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a detector of this family is, and for which pictures."""

    backbone: str
    channels: int  # of neck and head
    depth: int  # convolutions before the scores, and before the boxes
    input_size: int


OBJECTS = 5  # of a picture, from which the scores begin
FULL = Scale("resnet50", 256, 2, 640)
LIGHT = Scale("mobilenet_v3_large", 64, 2, 320)


def yolo_free(
    scale: Scale,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    strides: Annotated[tuple[int, ...], Len(1)] = (8, 16, 32),
    channels: Annotated[int, Gt(0)] | None = None,
    neck: Neck = "pan",
    matching: Matching = "task_aligned",
    box_loss: BoxLoss = "giou",
) -> OneStageDetector:
    """A neck over a backbone, and at each level a decoupled head.

    Args:
        scale: how large it is where the options below leave that open.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        strides: of the backbone's maps that the neck takes, finest first, each twice the one before.
        channels: of neck and head.
        neck: `pan` hands coarse maps down and fine ones up again, `fpn` only down.
        matching: how points are found for objects.
        box_loss: of the boxes.
    """
    body = make_backbone(backbone, scale.backbone, in_channels=in_channels, strides=strides)
    depth = channels or scale.channels
    return OneStageDetector(
        body,
        NECKS[neck](body.channels, depth, strides=body.strides),
        decoupled_head(body.strides, depth, scale.depth, num_classes, scale.input_size),
        PointReading(body.strides, matching, box_loss),
        input_size=scale.input_size,
        minimum_size=2 * max(body.strides),
    )


def decoupled_head(strides: Sequence[int], channels: int, depth: int, num_classes: int, side: int) -> DenseHead:
    """For each level a 1x1 convolution, and after it two branches of 3x3 ones: for the classes and for the boxes.

    Scores begin as if each level of a picture of `side` pixels held five objects (Ultralytics' YOLOv5 and v8): among
    thousands of points without one, a share of 1 % would be nearly all of the loss for hundreds of updates.
    """
    made = partial(conv_norm_act, channels, channels, act=nn.SiLU)
    stems = [made(1) for _ in strides]

    def branch(outputs: int, start: float) -> nn.Sequential:
        answer = nn.Conv2d(channels, outputs, 1)
        nn.init.normal_(answer.weight, std=0.01)
        nn.init.constant_(answer.bias, start)  # type: ignore[arg-type]
        return nn.Sequential(*(made(3) for _ in range(depth)), answer)

    priors = [OBJECTS / (num_classes * (side / stride) ** 2) for stride in strides]
    scores = [branch(num_classes, prior_logit(min(prior, PRIOR))) for prior in priors]
    return DenseHead(scores, [branch(4, 0.0) for _ in strides], num_classes, stems=stems)


for name, row in {"yolo_free": FULL, "yolo_free_light": LIGHT}.items():
    detectors.register(name)(partial(yolo_free, row))
