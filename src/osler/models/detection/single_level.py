"""Fast R-CNN and Faster R-CNN as published, on one map of stride 16 (Girshick 2015, arXiv 1504.08083; Ren et al. 2015,
"Faster R-CNN", arXiv 1506.01497).

| detector | backbone | regions from | pictures | parameters with 20 classes |
| --- | --- | --- | --- | --- |
| fast_rcnn | vgg16 | selective search | 600 | 134,690,729 |
| faster_rcnn_2015 | vgg16 | nine anchors a position | 600 | 137,073,622 |
| fast_rcnn_light | mobilenet_v3_large | selective search | 320 | 3,919,377 |
| faster_rcnn_2015_light | mobilenet_v3_large | nine anchors a position | 320 | 4,037,470 |

One pass of the convolutions serves all regions; each is pooled into 7 x 7 maxima, from which two fully connected layers
say class and place. Where the backbone's own classifier has two such layers, as VGG's has, public weights start these as
well (Girshick 2015, section 2.2). `faster_rcnn` is the later form, on a feature pyramid.
"""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from annotated_types import Gt, Len
from torch import nn

from osler.models.detection.backbone import Backbone, BackboneChoice, BackboneOption, chosen
from osler.models.detection.region_features import POOLS, RegionFeatures
from osler.models.detection.region_head import RegionHead, RegionRule
from osler.models.detection.region_proposals import ProposalRule, RegionProposals
from osler.models.detection.selective_proposals import SearchRule, SelectiveProposals, Ways
from osler.models.detection.two_stage import TwoStageDetector
from osler.models.registry import detectors
from osler.ops.anchors import AnchorLevels
from osler.ops.matching import FAST_RCNN
from osler.ops.sampling import Balance


@dataclass(frozen=True, slots=True)
class OneLevel:
    """How large a detector of this family is, and for which pictures."""

    backbone: str
    width: int  # of the fully connected layers
    dropout: float  # in both
    input_size: int
    search: SearchRule
    sizes: tuple[float, ...]  # side in pixels of the anchors
    proposals: ProposalRule
    fast: RegionRule
    faster: RegionRule


FULL = OneLevel(
    "vgg16",
    width=4096,
    dropout=0.5,  # as in VGG's own layers
    input_size=600,
    search=SearchRule(),
    sizes=(128, 256, 512),
    proposals=ProposalRule(before=(12000, 6000), after=(2000, 300), inside=True),
    fast=RegionRule(matching=FAST_RCNN, balance=Balance(64, 0.25), beta=1.0, overlap=0.3),
    faster=RegionRule(balance=Balance(128, 0.25), beta=1.0, overlap=0.3),
)
LIGHT = OneLevel(
    "mobilenet_v3_large",
    width=512,
    dropout=0.0,
    input_size=320,
    search=SearchRule("single", most=1000, longest=320, smallest=8),
    sizes=(32, 64, 128),
    proposals=ProposalRule(before=(1000, 400), after=(400, 200), inside=True),
    fast=FULL.fast,
    faster=FULL.faster,
)


def fast_rcnn(
    scale: OneLevel,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    stride: Annotated[int, Gt(0)] = 16,
    features: Literal["pool", "align", "precise"] = "pool",
    search: Ways | None = None,
    most: Annotated[int, Gt(0)] | None = None,
) -> TwoStageDetector:
    """Regions of selective search, pooled from one map (Girshick 2015).

    Args:
        scale: how large it is where the options below leave that open.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        stride: of the backbone's map from which regions are cut.
        features: how they are cut: `pool` (Girshick 2015), `align` (He et al. 2017), `precise` (Jiang et al. 2018).
        search: ways of grouping pixels: `single`, `fast`, `quality`.
        most: regions of a picture.
    """
    start = _Start(chosen(backbone, scale.backbone), in_channels)
    body = start.body(stride)
    own = scale.search
    rule = SearchRule(search or own.ways, most or own.most, own.longest, own.smallest)
    head = start.head(body, features, num_classes, scale, scale.fast)
    proposals = SelectiveProposals(in_channels, rule)
    return TwoStageDetector(body, nn.Identity(), proposals, head, input_size=scale.input_size)


def faster_rcnn_2015(
    scale: OneLevel,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    stride: Annotated[int, Gt(0)] = 16,
    features: Literal["pool", "align", "precise"] = "pool",
    sizes: Annotated[tuple[float, ...], Len(1)] | None = None,
    ratios: Annotated[tuple[float, ...], Len(1)] = (0.5, 1.0, 2.0),
) -> TwoStageDetector:
    """Regions that a network proposes on the same map from which they are pooled (Ren et al. 2015).

    Args:
        scale: how large it is where the options below leave that open.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        stride: of the backbone's map.
        features: how regions are cut: `pool` (Girshick 2015), `align` (He et al. 2017), `precise` (Jiang et al. 2018).
        sizes: sides in pixels of the anchors, each in all ratios.
        ratios: heights over widths of the anchors.
    """
    start = _Start(chosen(backbone, scale.backbone), in_channels)
    body = start.body(stride)
    anchors = AnchorLevels((tuple(sizes or scale.sizes),), ratios)
    head = start.head(body, features, num_classes, scale, scale.faster)
    proposals = RegionProposals(body.channels[0], anchors, scale.proposals)
    return TwoStageDetector(body, nn.Identity(), proposals, head, input_size=scale.input_size)


@dataclass(frozen=True, slots=True)
class _Start:
    """The network from which a detector starts: its convolutions, and where they fit its fully connected layers."""

    choice: BackboneChoice
    in_channels: int

    def body(self, stride: int) -> Backbone:
        return self.choice.cut(self.in_channels, (stride,))

    def head(self, body: Backbone, features: str, num_classes: int, scale: OneLevel, rule: RegionRule) -> RegionHead:
        cut = RegionFeatures(body.strides, pool=POOLS[features])
        head = RegionHead(cut, body.channels[0], num_classes, scale.width, rule, dropout=scale.dropout)
        if self.choice.weights != "none":
            own = [m for m in self.choice.network(self.in_channels).modules() if isinstance(m, nn.Linear)]
            for layer, start in zip((head.fc6, head.fc7), own, strict=False):
                if layer.weight.shape == start.weight.shape:
                    layer.load_state_dict(start.state_dict())
        return head


for name, scale in {"": FULL, "_light": LIGHT}.items():
    detectors.register(f"fast_rcnn{name}")(partial(fast_rcnn, scale))
    detectors.register(f"faster_rcnn_2015{name}")(partial(faster_rcnn_2015, scale))
