"""The detector of two stages: something proposes regions, something else says what is in them.

R-CNN's descendants differ in how the parts are filled: who proposes (selective search or a network), what a region is cut
from (one map or a pyramid) and how (pooled or aligned), and which heads look at it (classes and boxes, masks, overlaps).
"""

from collections.abc import Sequence
from typing import Protocol

from jaxtyping import Float
from torch import Tensor, nn

from osler.models.detection.backbone import Backbone
from osler.models.detection.mask_head import MaskHead
from osler.models.detection.overlap_head import OverlapHead
from osler.models.detection.region_head import RegionHead
from osler.models.detection.region_proposals import RegionProposals
from osler.structures.detections import Detections, TrueObjects
from osler.structures.preprocessing import Preprocessing

Images = Float[Tensor, "batch channels height width"]
Maps = list[Float[Tensor, "batch channels height width"]]


class Proposer(Protocol):
    """Who proposes regions without learning it."""

    def __call__(self, images: Images) -> list[Float[Tensor, "_ 4"]]:
        """The regions of each standardised picture, in its pixels."""
        ...

    def standardised_by(self, preprocessing: Preprocessing) -> None:
        """From here on pictures come standardised so."""
        ...


class TwoStageDetector(nn.Module):
    """Backbone, neck, proposals, and heads on the proposed regions.

    Args:
        backbone: pictures to maps.
        neck: maps to levels; the identity where a head sees the backbone's own.
        proposals: who proposes: the network of Faster R-CNN, or a proposer that does not learn.
        regions: classes and boxes of the regions.
        masks: masks of what was found; None for a detector without.
        overlaps: how well each box sits, which then decides what stays and moves it; None for a detector without.
        input_size: side in pixels of the pictures for which the detector is made.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: nn.Module,
        proposals: RegionProposals | Proposer,
        regions: RegionHead,
        masks: MaskHead | None = None,
        overlaps: OverlapHead | None = None,
        *,
        input_size: int,
    ) -> None:
        super().__init__()
        self.backbone, self.neck, self.proposals = backbone, neck, proposals
        self.regions, self.masks, self.overlaps = regions, masks, overlaps
        self.input_size = input_size
        self.minimum_size = 2 * max(backbone.strides)
        self._preprocessing: Preprocessing | None = None

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How pictures become its input: a training sets it. A proposer that looks at pixels is told."""
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, preprocessing: Preprocessing) -> None:
        self._preprocessing = preprocessing
        if not isinstance(self.proposals, RegionProposals):
            self.proposals.standardised_by(preprocessing)

    def levels(self, images: Images) -> Maps:
        """The maps on which all heads look."""
        levels: Maps = self.neck(self.backbone(images))
        return levels

    def losses(self, images: Images, targets: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """The named losses of a batch: what is minimised is their sum."""
        size, levels, named = _size(images), self.levels(images), {}
        if isinstance(self.proposals, RegionProposals):
            answered = self.proposals(levels, size)
            named = self.proposals.losses(answered, targets)
            proposed = self.proposals.propose(answered, size)
        else:
            proposed = self.proposals(images)
        sampled = self.regions.sample(proposed, targets)
        named |= self.regions.losses(levels, sampled, targets)
        if self.masks is not None:
            named |= self.masks.losses(levels, sampled, targets)
        if self.overlaps is not None:
            named |= self.overlaps.losses(levels, targets, size)
        return named

    def forward(self, images: Images) -> list[Detections]:
        """What is found in each standardised picture, in its pixels, the surest first."""
        size, levels = _size(images), self.levels(images)
        if isinstance(self.proposals, RegionProposals):
            proposed = self.proposals.propose(self.proposals(levels, size), size)
        else:
            proposed = self.proposals(images)
        if self.overlaps is None:
            found = self.regions.detect(levels, proposed, size)
        else:
            found = self.overlaps.detect(levels, self.regions.candidates(levels, proposed, size), size)
        return found if self.masks is None else self.masks.detect(levels, found)


def _size(images: Images) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]
