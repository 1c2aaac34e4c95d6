"""How the anchors of a detector fit the objects that it is taught, in pixels, whatever unit the anchors are kept in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from osler.doctor import thresholds
from osler.doctor.objects_read import ObjectsRead
from osler.ops.anchor_clusters import cluster_anchors
from osler.ops.coverage import coverage_by_shape
from osler.vitals.evidence import AnchorsSeen

CLUSTERED = 2_000  # objects
CELLS = (4.0, 8.0, 16.0, 32.0, 64.0)  # strides in which anchors that count in cells may be kept


@dataclass(frozen=True)
class AnchorFit:
    """The anchors, in the unit in which they fit best."""

    name: str
    shapes: Float[Tensor, "anchors 2"]  # in pixels
    sizes: Float[Tensor, "objects 2"]  # in pixels
    share: float  # of the objects that an anchor overlaps by half
    best: float  # greatest overlap of any object with an anchor
    factor: Float[Tensor, "2"]  # pixels for one of the anchors' own units
    said: str  # that unit

    def refitted(self, count: int) -> tuple[Float[Tensor, "anchors 2"], float]:
        """As many shapes found in the objects, and the share of the objects that they overlap by half."""
        some = self.sizes[:: max(1, len(self.sizes) // CLUSTERED)]
        count = min(count, len(torch.unique(some, dim=0)))
        shapes = cluster_anchors(some, count, generator=torch.Generator().manual_seed(0)).shapes
        return shapes, coverage_by_shape(self.sizes, shapes, thresholds.ANCHOR_IOU).share


def fit_of(objects: ObjectsRead) -> AnchorFit | None:
    """All anchors together against the training objects; None where sizes of objects in pixels are not known."""
    table, boxes = objects.train, objects.corners
    sizes = boxes[:, 2:] - boxes[:, :2]
    known = (
        np.isfinite(sizes).all(axis=1) & (sizes > 0).all(axis=1) & table.counted & np.isfinite(table.sizes).all(axis=1)
    )
    if not known.any():
        return None
    objects_sizes = torch.from_numpy(sizes[known]).float()
    picture = torch.from_numpy(np.median(table.sizes[known], axis=0)).float()
    name, fits = " and ".join(a.name for a in objects.seen.anchors[:3]), []
    for shapes, factor, said in _in_pixels(objects.seen.anchors, picture):
        met = coverage_by_shape(objects_sizes, shapes, thresholds.ANCHOR_IOU)
        fits.append(AnchorFit(name, shapes, objects_sizes, met.share, float(met.best.max()), factor, said))
    return max(fits, key=lambda fit: fit.share)


def _in_pixels(anchors: list[AnchorsSeen], picture: Float[Tensor, "2"]) -> Iterator[tuple[Tensor, Tensor, str]]:
    """The anchors in each unit in which they may be kept: of those whose unit is not known several are tried."""
    told = [a for a in anchors if a.unit != "unknown"]
    if told:  # a maker says its unit; tables beside it are made by it
        one = torch.ones(2)
        parts = [torch.from_numpy(a.shapes).float() * (picture if a.unit == "shares" else one) for a in told]
        shares = all(a.unit == "shares" for a in told)
        yield torch.cat(parts), picture if shares else one, "shares of the picture" if shares else "pixels"
        return
    every = torch.cat([torch.from_numpy(a.shapes).float() for a in anchors])
    yield every, torch.ones(2), "pixels"
    yield every * picture, picture, "shares of the picture"
    for stride in CELLS:
        yield every * stride, torch.full((2,), stride), f"cells of {stride:g} pixels"
