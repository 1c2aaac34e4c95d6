"""R-CNN (Girshick et al. 2014, "Rich feature hierarchies for accurate object detection and semantic segmentation", arXiv
1311.2524).

| detector | network | crops | regions from | pictures | parameters with 20 classes |
| --- | --- | --- | --- | --- | --- |
| rcnn | alexnet | 227, context 16 | selective search, 2,000 | 500 | 56,954,261 |
| rcnn_light | mobilenet_v3_large | 64, context 5 | selective search, 1,000 | 320 | 4,228,933 |

Every region is cut out, warped and sent through a classification network: thousands of passes a picture. Training is
three stages that know nothing of one another: the network learns to tell regions apart by their classes (gradient), then
a linear SVM for each class and a regression of its boxes are fitted on its features (`fit_estimators`). Until these are
fitted the network's own classifier answers, without moving boxes (appendix B compares the two).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor, nn

from osler.models.detection.backbone import Backbone, BackboneOption, chosen
from osler.models.detection.picture_edges import cut_at_edges
from osler.models.detection.region_estimators import Lessons, RegionEstimators, Seen
from osler.models.detection.region_head import class_of
from osler.models.detection.selective_proposals import SearchRule, SelectiveProposals, Ways
from osler.models.detection.warped_crops import warped_crops
from osler.models.head import features_of, find_head
from osler.models.registry import FeatureMap, detectors, feature_maps
from osler.ops.box_coding import decode_boxes
from osler.ops.matching import max_iou_match
from osler.ops.sampling import Balance, balanced_draw
from osler.ops.suppression import batched_nms
from osler.structures.detections import Detections, TrueObjects
from osler.structures.preprocessing import Preprocessing

Images = Float[Tensor, "batch channels height width"]
Boxes = Float[Tensor, "_ 4"]

WINDOWS = Balance(128, 0.25)  # 32 objects and 96 of background (section 2.3)


@dataclass(frozen=True, slots=True)
class CropRule:
    """How regions are looked at, what trains the network, what is kept.

    Attributes:
        side: of a crop in pixels.
        context: of these at each edge that show what is around the region (16 of 227 in appendix A).
        windows: regions of a batch that the network learns from, of all its pictures together.
        at_once: crops that go through the network together where nothing is learnt.
        score: what the network's own classifier finds less sure is not kept.
        surest: of the SVMs' answers so many of a picture enter suppression. No margin is too low: in the authors' code as
            well a threshold only bounds how many are kept.
        overlap: IoU above which the less sure of two of a class goes.
        most: objects that are kept of a picture.
    """

    side: int = 227
    context: int = 16
    windows: Balance = WINDOWS
    at_once: int = 256
    score: float = 0.05
    surest: int = 2000
    overlap: float = 0.3
    most: int = 100


class RegionsOneByOne(nn.Module):
    """A classification network that looks at one region at a time.

    Args:
        network: its head is replaced; it must describe its feature maps.
        proposals: who proposes regions.
        num_classes: without background.
        rule: how regions are looked at.
        in_channels: of the pictures.
        input_size: side in pixels of the pictures for which the detector is made.
    """

    def __init__(
        self,
        network: nn.Module,
        proposals: SelectiveProposals,
        num_classes: int,
        rule: CropRule,
        *,
        in_channels: int = 3,
        input_size: int,
    ) -> None:
        super().__init__()
        self.proposals, self.rule = proposals, rule
        name, head = find_head(network)
        deepest, width = feature_maps(network)[-1], features_of(head)
        network.set_submodule(name, nn.Identity())
        self.network = Backbone(network, [deepest, FeatureMap(name, width, deepest.stride)])
        self.scores = nn.Linear(width, num_classes + 1)  # background first
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.zeros_(self.scores.bias)
        numbers = self._numbers(in_channels)
        self.estimators = RegionEstimators(width, numbers, num_classes)
        self.input_size, self.minimum_size = input_size, 16
        self._preprocessing: Preprocessing | None = None

    @property
    def preprocessing(self) -> Preprocessing | None:
        """How pictures become its input: a training sets it, and the search is told."""
        return self._preprocessing

    @preprocessing.setter
    def preprocessing(self, preprocessing: Preprocessing) -> None:
        self._preprocessing = preprocessing
        self.proposals.standardised_by(preprocessing)

    def losses(self, images: Images, targets: Sequence[TrueObjects]) -> dict[str, Tensor]:
        """Cross-entropy of the sampled regions of all pictures; the true boxes are among the candidates.

        The network is about to change: what was fitted on it holds no longer.
        """
        self.estimators.fitted.fill_(False)
        boxes, labels = self._sampled(images, targets)
        crops = warped_crops(images, boxes, self.rule.side, self.rule.context)
        scores, wanted = self._classified(crops), torch.cat(labels)
        return {"class_loss": F.cross_entropy(scores, wanted) if len(wanted) else scores.sum()}

    @torch.no_grad()
    def forward(self, images: Images) -> list[Detections]:
        """What is found in each standardised picture, in its pixels, the surest first."""
        size = (images.shape[-2], images.shape[-1])
        proposed = self.proposals(images)
        return [self._found(image[None], boxes, size) for image, boxes in zip(images, proposed, strict=True)]

    def fit_estimators(self, batches: Iterable[tuple[Images, Sequence[TrueObjects]]]) -> None:
        """Fits the SVMs and the regressions on the network as it is. Nothing is fitted where no object is true.

        Args:
            batches: standardised pictures and their truths; gone through twice, first for the true objects, then for
                what is none.
        """
        was_training, lessons = self.training, Lessons(self.estimators.svm_bias.numel())
        self.eval()
        with torch.inference_mode():
            if lessons.begin((self.look(i, t.counted.boxes), t) for i, t in _one_by_one(batches) if len(t.counted)):
                for image, truth in _one_by_one(batches):
                    lessons.learn(self.look(image, self.proposals(image)[0]), truth)
        if lessons.machines:
            self.estimators.take(lessons)
        self.train(was_training)

    def look(self, image: Images, boxes: Boxes) -> Seen:
        """What the network makes of regions of one picture."""
        features, maps = [], []
        for part in boxes.split(self.rule.at_once):
            crops = warped_crops(image, [part], self.rule.side, self.rule.context)
            deepest, last = self.network(crops)
            features.append(_row(last).float())
            maps.append(deepest.flatten(1).float())
        return Seen(boxes, torch.cat(features), torch.cat(maps))

    def _found(self, image: Images, boxes: Boxes, size: tuple[int, int]) -> Detections:
        seen = self.look(image, boxes)
        if self.estimators.fitted:
            margins = self.estimators.margins(seen.features)
            best = margins.flatten().topk(min(self.rule.surest, margins.numel())).indices
            rows, labels = best // margins.shape[1], best % margins.shape[1]
            moved = decode_boxes(self.estimators.codes(seen.maps)[rows, labels], boxes[rows])
            scores = margins.sigmoid()
        else:
            scores = self.scores(seen.features).float().softmax(dim=1)[:, 1:]
            rows, labels = (scores > self.rule.score).nonzero(as_tuple=True)
            moved = boxes[rows]
        found = cut_at_edges(Detections(moved, labels, scores[rows, labels]), size)
        return found.select(batched_nms(found.boxes, found.scores, found.labels, self.rule.overlap)[: self.rule.most])

    @torch.no_grad()
    def _sampled(self, images: Images, targets: Sequence[TrueObjects]) -> tuple[list[Boxes], list[Tensor]]:
        """Regions of each picture to learn from and their classes; one without a class where there is none at all."""
        candidates = [torch.cat((p, t.counted.boxes)) for p, t in zip(self.proposals(images), targets, strict=True)]
        matches = [
            max_iou_match(boxes, truth.boxes, flagged=truth.ignored)
            for boxes, truth in zip(candidates, targets, strict=True)
        ]
        drawn = torch.zeros(sum(map(len, matches)), dtype=torch.bool, device=images.device)
        drawn[balanced_draw(torch.cat(matches), self.rule.windows).both] = True
        picked = drawn.split([len(m) for m in matches])
        labels = [class_of(m[p], t) for m, p, t in zip(matches, picked, targets, strict=True)]
        if not drawn.any():
            whole = images.new_tensor([[0, 0, images.shape[-1], images.shape[-2]]])
            return [whole, *(whole[:0] for _ in candidates[1:])], labels
        return [b[p] for b, p in zip(candidates, picked, strict=True)], labels

    def _classified(self, crops: Tensor) -> Float[Tensor, "crops classes"]:
        out: Tensor = self.scores(_row(self.network(crops)[1]))
        return out.float()

    @torch.no_grad()
    def _numbers(self, in_channels: int) -> int:
        """How many the deepest map of a crop holds."""
        was_training, weight = self.training, self.scores.weight
        self.eval()
        crop = torch.zeros(1, in_channels, self.rule.side, self.rule.side, device=weight.device)
        count = self.network(crop)[0].numel()
        self.train(was_training)
        return count


def _row(features: Tensor) -> Float[Tensor, "crops features"]:
    """Features as a row; of maps, which come to a head that is a convolution, the mean."""
    return features if features.ndim == 2 else features.mean((2, 3))


def _one_by_one(
    batches: Iterable[tuple[Images, Sequence[TrueObjects]]],
) -> Iterator[tuple[Images, TrueObjects]]:
    for images, truths in batches:
        for image, truth in zip(images, truths, strict=True):
            yield image[None], truth.to(image.device)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table."""

    backbone: str
    crops: CropRule
    search: SearchRule
    input_size: int


FULL = Row("alexnet", CropRule(), SearchRule(), 500)
LIGHT = Row(
    "mobilenet_v3_large",
    CropRule(side=64, context=5),
    SearchRule("single", most=1000, longest=320, smallest=8),
    320,
)


def rcnn(
    row: Row,
    num_classes: int,
    in_channels: int = 3,
    backbone: BackboneOption = None,
    side: Annotated[int, Gt(0)] | None = None,
    context: Annotated[int, Ge(0)] | None = None,
    windows: Annotated[int, Ge(4)] = 128,
    search: Ways | None = None,
    most: Annotated[int, Gt(0)] | None = None,
) -> RegionsOneByOne:
    """Warped regions of selective search through a network, then SVMs and regressions on its features.

    Args:
        row: of the table.
        num_classes: without background.
        in_channels: of the pictures.
        backbone: the name of any registered network, or `my_net.py:Net`; or a choice with weights, options, frozen norms.
        side: of a crop in pixels.
        context: of these at each edge that show what is around the region.
        windows: regions of a batch that the network learns from, a quarter of them objects at most.
        search: ways of grouping pixels: `single`, `fast`, `quality`.
        most: regions of a picture.
    """
    network = chosen(backbone, row.backbone).network(in_channels)
    own, wide = row.search, side or row.crops.side
    around = round(row.crops.context * wide / row.crops.side) if context is None else context
    rule = CropRule(wide, around, Balance(windows, row.crops.windows.positive_share))
    proposals = SelectiveProposals(
        in_channels, SearchRule(search or own.ways, most or own.most, own.longest, own.smallest)
    )
    return RegionsOneByOne(network, proposals, num_classes, rule, in_channels=in_channels, input_size=row.input_size)


for name, row in {"rcnn": FULL, "rcnn_light": LIGHT}.items():
    detectors.register(name)(partial(rcnn, row))
