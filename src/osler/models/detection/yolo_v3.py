"""YOLO v3's manner (Redmon and Farhadi 2018, "YOLOv3: an incremental improvement", arXiv 1804.02767).

| detector | backbone | levels | anchors | pictures | parameters with 90 classes |
| --- | --- | --- | --- | --- | --- |
| yolo_v3 | resnet50 | pyramid, strides 8, 16, 32 | 9, from COCO | 416 | 30,177,175 |
| yolo_v3_light | mobilenet_v3_large | pyramid, strides 8, 16, 32 | the same, for its pictures | 320 | 3,759,623 |

One stage: three anchors a cell at three levels, found in the data by k-means. The paper's own backbone, Darknet-53, and
its way of handing maps down are filled by a network of the registry and a feature pyramid or a path aggregation network.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from annotated_types import Gt, Len
from torch import nn

from osler.models.detection.backbone import BackboneOption, make_backbone
from osler.models.detection.cell_reading import NUMBERS, CellReading
from osler.models.detection.dense_head import DenseHead, prior_logit
from osler.models.detection.one_stage import OneStageDetector
from osler.models.registry import detectors
from osler.nn.convolution import conv_norm_act
from osler.nn.feature_pyramid import FeaturePyramid
from osler.nn.path_aggregation import PathAggregation
from osler.ops.cell_anchors import YOLO_V3, CellAnchors, Shape
from osler.structures.errors import RecipeError

Neck = Literal["fpn", "pan"]
NECKS = {"fpn": FeaturePyramid, "pan": PathAggregation}
SIZE = 416  # of the pictures for which the published anchors were found
LEAK = 0.1  # of the activations, as in all of the authors' networks


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a detector of this family is, and for which pictures."""

    backbone: str
    channels: int  # of the neck; the head has twice as many
    input_size: int


FULL = Scale("resnet50", 256, 416)
LIGHT = Scale("mobilenet_v3_large", 96, 320)


def yolo_v3(
    scale: Scale,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    strides: Annotated[tuple[int, ...], Len(1)] = (8, 16, 32),
    channels: Annotated[int, Gt(0)] | None = None,
    shapes: tuple[Shape, ...] | None = None,
    neck: Neck = "fpn",
) -> OneStageDetector:
    """A neck over a backbone; at each level a 3x3 convolution and the answers of its cells' anchors.

    Args:
        scale: how large it is where the options below leave that open.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        strides: of the backbone's maps that the neck takes, finest first, each twice the one before.
        channels: of the neck.
        shapes: widths and heights of the anchors in pixels, small to large, as many for each level, such as
            `osler.ops.anchor_clusters` finds; None: the published nine, scaled to the pictures' size.
        neck: `fpn` hands coarse maps down, `pan` up again too.

    Raises:
        RecipeError: the shapes cannot be dealt out to the levels.
    """
    body = make_backbone(backbone, scale.backbone, in_channels=in_channels, strides=strides)
    depth = channels or scale.channels
    layout = CellAnchors(dealt(shapes or published_shapes(scale.input_size), len(strides)), body.strides)
    return OneStageDetector(
        body,
        NECKS[neck](body.channels, depth, strides=body.strides),
        cell_head(len(strides), depth, layout.per_position, num_classes),
        CellReading(layout),
        input_size=scale.input_size,
        minimum_size=2 * max(body.strides),
    )


def cell_head(levels: int, channels: int, anchors: int, num_classes: int) -> DenseHead:
    """For each level a 3x3 convolution, from which 1x1 ones make the scores and the numbers of each anchor."""
    inside = 2 * channels
    stems = [conv_norm_act(channels, inside, act=partial(nn.LeakyReLU, LEAK)) for _ in range(levels)]
    scores = [nn.Conv2d(inside, anchors * num_classes, 1) for _ in range(levels)]
    codes = [nn.Conv2d(inside, anchors * NUMBERS, 1) for _ in range(levels)]
    for layer in (*scores, *codes):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    for layer in codes:
        nn.init.constant_(layer.bias[NUMBERS - 1 :: NUMBERS], prior_logit())  # type: ignore[index]
    return DenseHead(scores, codes, num_classes, NUMBERS, stems)


def published_shapes(size: int) -> tuple[Shape, ...]:
    """The nine shapes of COCO's boxes (section 2.3) for pictures of `size` pixels."""
    return tuple((w * size / SIZE, h * size / SIZE) for level in YOLO_V3 for w, h in level)


def dealt(shapes: tuple[Shape, ...], levels: int) -> tuple[tuple[Shape, ...], ...]:
    """The shapes level by level, the smallest for the finest.

    Raises:
        RecipeError: there are not as many for each level.
    """
    each, left = divmod(len(shapes), levels)
    if left or not each:
        raise RecipeError(
            f"Anchors are dealt out evenly: {levels} levels need a multiple of {levels} shapes; given: {len(shapes)}."
        )
    ordered = sorted(shapes, key=lambda shape: shape[0] * shape[1])
    return tuple(tuple(ordered[i * each : (i + 1) * each]) for i in range(levels))


for name, row in {"yolo_v3": FULL, "yolo_v3_light": LIGHT}.items():
    detectors.register(name)(partial(yolo_v3, row))
