"""R-CNN's last stage: a linear SVM for each class and a ridge regression of its boxes, on a network's features.

(Girshick et al. 2014, sections 2.2 and 2.3, appendix C.) The network is done; scikit-learn fits these on what it makes of
regions. What was fitted is a matrix and a vector each, kept as buffers: no gradient moves them, and they are saved with
the network.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from osler.models.detection.mined_svm import MinedSvm
from osler.ops.box_coding import encode_boxes
from osler.ops.boxes import valid_boxes
from osler.ops.overlap_matrices import box_iou
from osler.structures.detections import TrueObjects

NORM = 20.0  # of features on average, as the authors' code scales them, so that the penalties mean something
NOT_AN_OBJECT = 0.3  # IoU with every object of a class below which a region is none (section 2.3, by a grid search)
NEAR = 0.6  # IoU with an object from which a region's regression to it is learnt (appendix C)
RIDGE = 1000.0  # penalty of the regression (appendix C)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network makes of the regions of a picture."""

    boxes: Float[Tensor, "regions 4"]
    features: Float[Tensor, "regions features"]  # that come to its head
    maps: Float[Tensor, "regions numbers"]  # of its deepest map


class RegionEstimators(nn.Module):
    """Features to margins and codes, by linear maps that are fitted and not trained.

    Args:
        features: how many come to the network's head.
        numbers: how many its deepest map holds.
        num_classes: without background.
    """

    svm_weight: Tensor
    svm_bias: Tensor
    ridge_weight: Tensor
    ridge_bias: Tensor
    fitted: Tensor

    def __init__(self, features: int, numbers: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("svm_weight", torch.zeros(num_classes, features))
        self.register_buffer("svm_bias", torch.zeros(num_classes))
        self.register_buffer("ridge_weight", torch.zeros(4 * num_classes, numbers))
        self.register_buffer("ridge_bias", torch.zeros(4 * num_classes))
        self.register_buffer("fitted", torch.tensor(False))

    def margins(self, features: Float[Tensor, "regions features"]) -> Float[Tensor, "regions classes"]:
        """Of each region for each class: above 0 it is rather one than not, beyond 1 and -1 surely."""
        return features @ self.svm_weight.T + self.svm_bias

    def codes(self, maps: Float[Tensor, "regions numbers"]) -> Float[Tensor, "regions classes 4"]:
        """How each region would have to move if it were an object of each class."""
        return (maps @ self.ridge_weight.T + self.ridge_bias).unflatten(1, (-1, 4))

    @torch.no_grad()
    def take(self, lessons: "Lessons") -> None:
        """Keeps what was learnt."""
        device = self.svm_weight.device
        for label, (machine, (weight, bias)) in enumerate(lessons.learnt()):
            self.svm_weight[label] = torch.from_numpy(machine.weight * np.float32(lessons.feature_scale)).to(device)
            self.svm_bias[label] = machine.bias
            rows = slice(4 * label, 4 * label + 4)
            self.ridge_weight[rows] = torch.from_numpy(weight * np.float32(lessons.map_scale)).to(device)
            self.ridge_bias[rows] = torch.from_numpy(bias).to(device)
        self.fitted.fill_(True)


@dataclass(slots=True)
class Lessons:
    """What is learnt from, gathered picture by picture: first the true objects of all, then the regions of all."""

    num_classes: int
    feature_scale: float = 1.0
    map_scale: float = 1.0
    machines: list[MinedSvm] = field(default_factory=list)
    near: list[list[tuple[Float32[np.ndarray, "_ n"], Float32[np.ndarray, "_ 4"]]]] = field(default_factory=list)

    def begin(self, objects: Iterable[tuple[Seen, TrueObjects]]) -> bool:
        """The true objects themselves, all that are positives; whether there are any.

        Of each pair the regions are the boxes of the counted objects, in their order.
        """
        pairs = [(seen.features.cpu(), seen.maps.cpu(), truth.counted.labels.cpu()) for seen, truth in objects]
        if not sum(len(labels) for _, _, labels in pairs):
            return False
        features, maps, labels = (torch.cat(column) for column in zip(*pairs, strict=True))
        self.feature_scale, self.map_scale = _scale(features), _scale(maps)
        scaled = (features * self.feature_scale).numpy()
        self.machines = [MinedSvm(scaled[(labels == c).numpy()]) for c in range(self.num_classes)]
        self.near = [[] for _ in range(self.num_classes)]
        return True

    def learn(self, seen: Seen, truth: TrueObjects) -> None:
        """The regions of a picture: hard negatives of each class, and how those near an object would have to move."""
        overlaps = box_iou(seen.boxes, truth.boxes)
        features = (seen.features * self.feature_scale).cpu().numpy()
        for label, machine in enumerate(self.machines):
            own = overlaps[:, (truth.labels == label) | truth.ignored]
            none = (own < NOT_AN_OBJECT).all(dim=1).cpu().numpy()
            machine.see(features[none])
        counted = ~truth.ignored & valid_boxes(truth.boxes)
        if not counted.any():
            return
        best, which = overlaps.masked_fill(~counted, -1).max(dim=1)
        for label in truth.labels[counted].unique().tolist():
            rows = ((best >= NEAR) & (truth.labels[which] == label)).nonzero().flatten()
            codes = encode_boxes(truth.boxes[which[rows]], seen.boxes[rows])
            maps = seen.maps[rows] * self.map_scale
            self.near[label].append((maps.cpu().numpy(), codes.cpu().numpy()))

    def learnt(self) -> Iterable[tuple[MinedSvm, tuple[Float32[np.ndarray, "4 n"], Float32[np.ndarray, " 4"]]]]:
        """The machine and the regression of each class. Without a region near an object boxes stay where they are."""
        for machine, examples in zip(self.machines, self.near, strict=True):
            machine.learn()
            yield machine, _ridge(examples)


def _scale(features: Float[Tensor, "regions features"]) -> float:
    """What brings features to the norm `NORM` on average."""
    return NORM / max(1e-6, float(features.norm(dim=1).mean()))


def _ridge(
    examples: list[tuple[Float32[np.ndarray, "_ n"], Float32[np.ndarray, "_ 4"]]],
) -> tuple[Float32[np.ndarray, "4 n"], Float32[np.ndarray, " 4"]]:
    from sklearn.linear_model import Ridge  # as above

    maps, codes = (np.concatenate(column) for column in zip(*examples, strict=True)) if examples else (None, None)
    if maps is None or codes is None or not len(maps):
        return np.zeros((4, 1), np.float32), np.zeros(4, np.float32)
    ridge = Ridge(alpha=RIDGE).fit(maps, codes)
    return ridge.coef_.astype(np.float32), ridge.intercept_.astype(np.float32)
