"""Faster R-CNN and Mask R-CNN (Ren et al. 2015, arXiv 1506.01497; He et al. 2017, "Mask R-CNN", arXiv 1703.06870).

| detector | backbone | levels | pictures | parameters with 90 classes |
| --- | --- | --- | --- | --- |
| faster_rcnn | resnet50 | pyramid, strides 4 to 64 | 800 | 41,808,406 |
| mask_rcnn | resnet50 | pyramid, strides 4 to 64 | 800 | 44,454,513 |
| faster_rcnn_light | mobilenet_v3_large | pyramid, strides 8 to 64 | 320 | 7,156,870 |
| mask_rcnn_light | mobilenet_v3_large | pyramid, strides 8 to 64 | 320 | 7,363,809 |

The full ones are those of "Feature pyramid networks" (Lin et al. 2017, section 5), whose public weights they take. The
light ones train on two cores: narrower pyramid and heads, fewer proposals, anchors for small pictures.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from annotated_types import Gt, Len

from osler.models.detection.backbone import BackboneOption, make_backbone
from osler.models.detection.mask_head import MaskHead
from osler.models.detection.region_features import POOLS, RegionFeatures
from osler.models.detection.region_head import RegionHead, RegionRule
from osler.models.detection.region_proposals import ProposalRule, RegionProposals
from osler.models.detection.two_stage import TwoStageDetector
from osler.models.registry import detectors
from osler.nn.feature_pyramid import FeaturePyramid
from osler.ops.anchors import AnchorLevels
from osler.ops.sampling import Balance

MASK_BINS = 14  # of the features from which a mask of 28 x 28 is made (He et al. 2017, figure 4)


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a detector of this family is, and for which pictures."""

    backbone: str
    strides: tuple[int, ...]  # of the backbone's maps that the pyramid takes
    channels: int  # of the pyramid
    width: int  # of the fully connected layers
    mask_width: int  # channels of the mask branch's convolutions
    input_size: int
    anchor: float  # side in pixels of the anchors of the finest level; twice as large from level to level
    canonical: float  # side in pixels of the regions that are cut from the level of stride 16
    proposals: ProposalRule
    regions: RegionRule


FULL = Scale(
    "resnet50",
    strides=(4, 8, 16, 32),
    channels=256,
    width=1024,
    mask_width=256,
    input_size=800,
    anchor=32,
    canonical=224,
    proposals=ProposalRule(),
    regions=RegionRule(),
)
LIGHT = Scale(
    "mobilenet_v3_large",
    strides=(8, 16, 32),
    channels=128,
    width=512,
    mask_width=64,
    input_size=320,
    anchor=24,
    canonical=96,
    proposals=ProposalRule(before=(600, 400), after=(400, 200)),
    regions=RegionRule(balance=Balance(128, 0.25)),
)


def pyramid_detector(
    scale: Scale,
    with_masks: bool,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    strides: Annotated[tuple[int, ...], Len(1)] | None = None,
    channels: Annotated[int, Gt(0)] | None = None,
    anchor: Annotated[float, Gt(0)] | None = None,
    ratios: Annotated[tuple[float, ...], Len(1)] = (0.5, 1.0, 2.0),
    features: Literal["align", "pool", "precise"] = "align",
) -> TwoStageDetector:
    """A pyramid over a backbone, a network that proposes regions, and heads on what it proposes.

    Args:
        scale: how large it is where the options below leave that open.
        with_masks: whether a mask is found for each object.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        strides: of the backbone's maps that the pyramid takes, finest first, each twice the one before.
        channels: of the pyramid.
        anchor: side in pixels of the anchors of the finest level; each level's are twice the one's before.
        ratios: heights over widths of the anchors.
        features: how a region is cut from a level: `align` (He et al. 2017), `pool` (Girshick 2015), or `precise` (Jiang
            et al. 2018).
    """
    body = make_backbone(backbone, scale.backbone, in_channels=in_channels, strides=strides or scale.strides)
    depth = channels or scale.channels
    neck = FeaturePyramid(body.channels, depth, extra="pool", strides=body.strides)
    sizes = tuple(((anchor or scale.anchor) * 2**level,) for level in range(len(neck.strides)))
    cut = partial(RegionFeatures, body.strides, pool=POOLS[features], canonical=scale.canonical)
    return TwoStageDetector(
        body,
        neck,
        RegionProposals(depth, AnchorLevels(sizes, ratios), scale.proposals),
        RegionHead(cut(), depth, num_classes, scale.width, scale.regions),
        MaskHead(cut(bins=MASK_BINS), depth, num_classes, scale.mask_width) if with_masks else None,
        input_size=scale.input_size,
    )


for name, row in {
    "faster_rcnn": (FULL, False),
    "mask_rcnn": (FULL, True),
    "faster_rcnn_light": (LIGHT, False),
    "mask_rcnn_light": (LIGHT, True),
}.items():
    detectors.register(name)(partial(pyramid_detector, *row))
