"""RetinaNet (Lin et al. 2017, "Focal loss for dense object detection", arXiv 1708.02002).

| detector | backbone | levels | pictures | parameters with 90 classes |
| --- | --- | --- | --- | --- |
| retinanet | resnet50 | pyramid, strides 8 to 128 | 800 | 34,047,374 |
| retinanet_light | mobilenet_v3_large | pyramid, strides 8 to 64 | 320 | 4,160,510 |

One stage: at every position of a pyramid nine anchors answer for themselves, and the focal loss keeps the hundred thousand
that see background from drowning the few that see objects. The public weights of torchvision have 91 columns of scores,
the first of which means nothing (`background_column`): 34,068,119 parameters.

The light one trains from nothing on two cores: narrower, group norm in the towers, anchors for small pictures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le, Len
from torch import Tensor, nn

from osler.models.detection.anchor_reading import AnchorReading, FocalTerm
from osler.models.detection.backbone import BackboneOption, make_backbone
from osler.models.detection.dense_head import DenseHead, prior_logit
from osler.models.detection.kept_answers import KeepRule
from osler.models.detection.one_stage import OneStageDetector
from osler.models.registry import detectors
from osler.nn.feature_pyramid import Extra, FeaturePyramid
from osler.ops.anchors import AnchorLevels, Grid, grid_stride, retinanet_levels
from osler.ops.matching import RETINANET, max_iou_match

GROUP = 16  # channels that are normalised together


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a detector of this family is, and for which pictures."""

    backbone: str
    channels: int  # of the pyramid and the towers
    depth: int  # convolutions of a tower
    normed: bool  # group norm in the towers
    extra: Extra  # levels on top of the pyramid
    input_size: int
    anchor: float  # side in pixels of the smallest anchor of the finest level; twice as large from level to level
    most: int  # detections of a picture


FULL = Scale("resnet50", 256, 4, normed=False, extra="convolutions", input_size=800, anchor=32, most=300)
LIGHT = Scale("mobilenet_v3_large", 96, 2, normed=True, extra="pool", input_size=320, anchor=20, most=100)


def retinanet(
    scale: Scale,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    strides: Annotated[tuple[int, ...], Len(1)] = (8, 16, 32),
    channels: Annotated[int, Gt(0)] | None = None,
    anchor: Annotated[float, Gt(0)] | None = None,
    gamma: Annotated[float, Ge(0)] = 2.0,
    alpha: Annotated[float, Le(1)] = 0.25,
    background_column: bool = False,
) -> OneStageDetector:
    """A pyramid over a backbone, and two towers of convolutions that all levels share.

    Args:
        scale: how large it is where the options below leave that open.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        strides: of the backbone's maps that the pyramid takes, finest first, each twice the one before.
        channels: of the pyramid and the towers.
        anchor: side in pixels of the smallest anchor of the finest level.
        gamma: of the focal loss; 0 is cross-entropy.
        alpha: of the focal loss: weight of the objects' classes; negative: none weighs.
        background_column: a column of scores before the classes', without meaning, as in torchvision's weights.
    """
    body = make_backbone(backbone, scale.backbone, in_channels=in_channels, strides=strides)
    depth = channels or scale.channels
    neck = FeaturePyramid(body.channels, depth, extra=scale.extra, strides=body.strides)
    anchors = retinanet_levels(anchor or scale.anchor, len(neck.strides))
    columns, count = num_classes + int(background_column), anchors.per_position[0]
    towers = partial(tower, depth, scale.depth, normed=scale.normed)
    head = DenseHead([towers(count * columns, start=prior_logit())], [towers(count * 4)], columns)
    reading = AnchorReading(
        partial(spread_over, anchors),
        retinanet_match,
        FocalTerm(alpha, gamma, background_column),
        kept=KeepRule(score=0.05, before=1000, overlap=0.5, most=scale.most),
    )
    minimum = 2 * max(body.strides)
    return OneStageDetector(body, neck, head, reading, input_size=scale.input_size, minimum_size=minimum)


def tower(channels: int, depth: int, outputs: int, *, normed: bool = False, start: float = 0.0) -> nn.Sequential:
    """Some 3x3 convolutions with ReLU, and one that answers, whose biases are `start` (section 4.1)."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers.append(nn.Conv2d(channels, channels, 3, padding=1))
        layers += [nn.GroupNorm(math.gcd(channels, max(1, channels // GROUP)), channels)] if normed else []
        layers.append(nn.ReLU())
    layers.append(nn.Conv2d(channels, outputs, 3, padding=1))
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, start if layer is layers[-1] else 0.0)  # type: ignore[arg-type]
    return nn.Sequential(*layers)


def spread_over(anchors: AnchorLevels, grids: Sequence[Grid], picture: tuple[int, int], device: torch.device) -> Tensor:
    """The anchors of all levels over their maps."""
    return torch.cat(anchors(grids, [grid_stride(picture, g) for g in grids], device))


def retinanet_match(anchors: Tensor, boxes: Tensor, flagged: Tensor) -> Tensor:
    """RetinaNet's thresholds: 0.5 and 0.4, and every object's best anchor."""
    return max_iou_match(anchors, boxes, RETINANET, flagged)


for name, row in {"retinanet": FULL, "retinanet_light": LIGHT}.items():
    detectors.register(name)(partial(retinanet, row))
