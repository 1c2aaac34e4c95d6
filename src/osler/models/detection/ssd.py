"""SSD (Liu et al. 2016, "SSD: single shot multibox detector", arXiv 1512.02325).

| detector | backbone | levels | default boxes | pictures | parameters with 90 classes |
| --- | --- | --- | --- | --- | --- |
| ssd300 | VGG-16 | conv4_3, fc7, 4 further | 8732 | 300 | 35,641,826 |
| ssd512 | VGG-16 | conv4_3, fc7, 5 further | 24564 | 512 | 37,513,116 |
| ssd_light | mobilenet_v3_large | strides 8, 16, 32, 3 further | 9602 | 320 | 8,388,818 |

One stage: at every cell of maps of different fineness a few default boxes say what they are and how they would have to
move; fine maps have small boxes, coarse maps large ones, and no map knows of the others. The light one takes any
backbone, with batch norm in the layers on top.
"""

from functools import partial
from typing import Annotated

from annotated_types import Ge, Gt, Len
from torch import Tensor, nn

from osler.models.detection.anchor_reading import AnchorReading, HardNegativeTerm
from osler.models.detection.backbone import BackboneOption, make_backbone
from osler.models.detection.dense_head import DenseHead
from osler.models.detection.kept_answers import KeepRule
from osler.models.detection.one_stage import OneStageDetector
from osler.models.detection.ssd_backbone import Extra, FurtherMaps, SsdVgg, start_evenly
from osler.models.registry import detectors
from osler.ops.bipartite_matching import ssd_match
from osler.ops.box_coding import SSD_WEIGHTS
from osler.ops.default_boxes import SSD300, SSD512, DefaultBoxes
from osler.structures.errors import RecipeError

KEPT = KeepRule(score=0.01, before=400, by="class", overlap=0.45, most=200)  # section 2.2; 400 as in the authors' code
HALVE, SHAVE = Extra(128, 256), Extra(128, 256, stride=1, padding=0)
EXTRAS_300 = (Extra(256, 512), HALVE, SHAVE, SHAVE)
EXTRAS_512 = (Extra(256, 512), HALVE, HALVE, HALVE, Extra(128, 256, kernel=4, stride=1))
LIGHT_BACKBONE, LIGHT_SIZE = "mobilenet_v3_large", 320
NARROWEST = 268  # pixels: below, the last level of either has no position left
SMALLEST, SECOND, LARGEST = 0.07, 0.15, 1.05  # shares of the picture: COCO's, section 3.4


def ssd(
    size: int,
    boxes: DefaultBoxes,
    extras: tuple[Extra, ...],
    num_classes: int,
    in_channels: int = 3,
    vgg_weights: str = "none",
    width: Annotated[float, Gt(0)] = 1.0,
) -> OneStageDetector:
    """SSD as published, on VGG-16.

    Args:
        size: side of the pictures in pixels.
        boxes: the default boxes.
        extras: the levels on top.
        num_classes: without background.
        in_channels: of the pictures.
        vgg_weights: of VGG-16: `torchvision`, `timm`, `torchvision:PATH`; `none`: random.
        width: multiplies all channels; only 1 has trained weights.

    Raises:
        RecipeError: weights are asked for at another width.
    """
    body = SsdVgg(in_channels, width)
    if vgg_weights != "none":
        if width != 1:
            raise RecipeError(f"vgg_weights={vgg_weights!r} are of VGG-16 at width 1; given: width={width}.")
        body.start_from(vgg_weights, in_channels)
    neck = FurtherMaps(body.channels, extras, width=width)
    return OneStageDetector(
        body, neck, box_head(neck.channels, boxes, num_classes), reading(boxes), input_size=size, minimum_size=NARROWEST
    )


def ssd_light(
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    strides: Annotated[tuple[int, ...], Len(1)] = (8, 16, 32),
    further: Annotated[int, Ge(0)] = 3,
    smallest: Annotated[float, Gt(0)] = SMALLEST,
) -> OneStageDetector:
    """SSD on any backbone, for pictures of 320 pixels.

    Args:
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        strides: of the backbone's maps that carry default boxes, finest first.
        further: levels on top, each half as fine as the one before.
        smallest: side of the smallest default boxes, as a share of the picture's.
    """
    body = make_backbone(backbone, LIGHT_BACKBONE, in_channels=in_channels, strides=strides)
    neck = FurtherMaps(body.channels, (HALVE,) * further, norm=nn.BatchNorm2d)
    boxes = boxes_over(len(neck.channels), smallest)
    minimum = 2 * max(body.strides)
    head = box_head(neck.channels, boxes, num_classes)
    return OneStageDetector(body, neck, head, reading(boxes), input_size=LIGHT_SIZE, minimum_size=minimum)


def boxes_over(levels: int, smallest: float = SMALLEST) -> DefaultBoxes:
    """Default boxes in the manner of SSD300: a small scale of its own for the finest map, the others spread evenly.

    Six shapes in the middle, four at the finest and at the two coarsest maps.
    """
    second = min(LARGEST, smallest * SECOND / SMALLEST)
    step = (LARGEST - second) / max(1, levels - 1)
    scales = (smallest, *(second + step * i for i in range(levels)))
    few = {0, levels - 2, levels - 1}
    ratios = tuple((2.0,) if level in few else (2.0, 3.0) for level in range(levels))
    return DefaultBoxes(ratios, scales)


def box_head(channels: tuple[int, ...], boxes: DefaultBoxes, num_classes: int) -> DenseHead:
    """For each level a 3x3 convolution for the classes and background, and one for the codes."""
    scores, codes = (
        [
            start_evenly(nn.Conv2d(c, count * n, 3, padding=1))
            for c, count in zip(channels, boxes.per_position, strict=True)
        ]
        for n in (num_classes + 1, 4)
    )
    return DenseHead(scores, codes, num_classes + 1)


def reading(boxes: DefaultBoxes) -> AnchorReading:
    """SSD's matching and losses (section 2.2)."""
    return AnchorReading(
        boxes,
        ssd_pairs,
        HardNegativeTerm(),
        weights=SSD_WEIGHTS,
        beta=1.0,
        per="batch",
        kept=KEPT,
    )


def ssd_pairs(anchors: Tensor, boxes: Tensor, flagged: Tensor) -> Tensor:
    """One default box for each object, and all that overlap it by at least 0.5."""
    return ssd_match(anchors, boxes, 0.5, flagged)


detectors.register("ssd300")(partial(ssd, 300, SSD300, EXTRAS_300))
detectors.register("ssd512")(partial(ssd, 512, SSD512, EXTRAS_512))
detectors.register("ssd_light")(ssd_light)
