"""How many of given objects a set of boxes finds: anchors before training, proposals after.

An object that no anchor overlaps enough is one that no training can teach. With shapes alone the question is whether an
anchor would fit if it lay right; with boxes in their places the grid counts as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from osler.ops.cell_anchors import shape_iou
from osler.ops.overlap_matrices import box_iou


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well each object is met by the box that meets it best.

    Attributes:
        best: greatest IoU of each object, 0 where there is no box.
        threshold: from which on an object counts as matched.
    """

    best: Float[Tensor, " objects"]
    threshold: float

    @property
    def matched(self) -> Bool[Tensor, " objects"]:
        """Which objects are matched."""
        return self.best >= self.threshold

    @property
    def share(self) -> float:
        """Of the objects, those matched; 1 where there is no object to miss."""
        return float(self.matched.double().mean()) if len(self.best) else 1.0

    @property
    def mean_iou(self) -> float:
        """Of the objects' greatest IoUs; nan without objects."""
        return float(self.best.double().mean())


def coverage_by_shape(
    sizes: Float[Tensor, "objects 2"], shapes: Float[Tensor, "shapes 2"], threshold: float = 0.5
) -> Coverage:
    """How shapes (width, height) meet objects' sizes in the same unit if they lay on the same middle.

    The most that a grid of these anchors can reach.
    """
    return Coverage(_greatest(shape_iou(sizes, shapes)), threshold)


def coverage_by_box(
    boxes: Float[Tensor, "objects 4"], anchors: Float[Tensor, "anchors 4"], threshold: float = 0.5
) -> Coverage:
    """How anchors or proposals meet the objects of the same picture where they lie."""
    return Coverage(_greatest(box_iou(boxes, anchors)), threshold)


def recall_at(
    proposals: Float[Tensor, "proposals 4"],
    boxes: Float[Tensor, "objects 4"],
    counts: Sequence[int],
    threshold: float = 0.5,
) -> list[float]:
    """The share of the objects that the first 1, 10, 100 ... proposals find; it never falls as the count grows.

    Args:
        proposals: of one picture, best first.
        boxes: its objects.
        counts: how many proposals to take.
        threshold: the IoU from which on an object is found.
    """
    overlaps = box_iou(boxes, proposals)
    return [Coverage(_greatest(overlaps[:, :count]), threshold).share for count in counts]


def _greatest(overlaps: Float[Tensor, "objects others"]) -> Float[Tensor, " objects"]:
    if overlaps.shape[1] == 0:
        return overlaps.new_zeros(len(overlaps))
    return overlaps.amax(dim=1)
