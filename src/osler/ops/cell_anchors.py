"""YOLO's cells: a picture divided into squares of a stride, and anchors that are shapes alone (Redmon and Farhadi 2017, 2).

How a box is coded against its cell and its shape stands in box_coding.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.ops.anchors import Grid

Shape = tuple[float, float]  # width and height, in pixels
YOLO_V3: tuple[tuple[Shape, ...], ...] = (  # for 416 pixels, from COCO's boxes (Redmon and Farhadi 2018, section 2.3)
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)


def cell_places(grid: Grid, device: torch.device | None = None) -> Int[Tensor, "cells 2"]:
    """The cells' columns and rows, in that order, row by row: what `box_coding` counts them by."""
    rows, columns = torch.arange(grid[0], device=device), torch.arange(grid[1], device=device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack((x, y), dim=-1).reshape(-1, 2)


def cell_points(grid: Grid, stride: float, device: torch.device | None = None) -> Float[Tensor, "cells 2"]:
    """The middles x, y of the cells in pixels, row by row: the points of anchor-free heads."""
    return (cell_places(grid, device) + 0.5) * stride


@dataclass(frozen=True, slots=True)
class CellAnchors:
    """Which shapes the cells of each feature map carry, finest map first.

    Attributes:
        shapes: for each level its anchors' widths and heights in pixels; every level has as many.
        strides: pixels of the picture from one cell to the next.
    """

    shapes: tuple[tuple[Shape, ...], ...] = YOLO_V3
    strides: tuple[int, ...] = (8, 16, 32)

    def __post_init__(self) -> None:
        """Refuses levels that do not agree."""
        if len(self.shapes) != len(self.strides) or len({len(level) for level in self.shapes}) != 1:
            raise ValueError(
                "Cell anchors need a stride for each level and as many shapes at every level; given: "
                f"{[len(level) for level in self.shapes]} shapes, {len(self.strides)} strides."
            )

    @property
    def per_position(self) -> int:
        """Anchors in each cell."""
        return len(self.shapes[0])

    def __call__(self, grids: Sequence[Grid], device: torch.device | None = None) -> list[Float[Tensor, "anchors 4"]]:
        """The anchors of each level, x1 y1 x2 y2 in pixels around their cells' middles.

        Row by row, in a row cell by cell, in a cell shape by shape.

        Raises:
            ValueError: there are more or fewer maps than levels.
        """
        if len(grids) != len(self.strides):
            raise ValueError(f"Cell anchors were made for {len(self.strides)} maps; given: {len(grids)}.")
        levels = []
        for shapes, stride, grid in zip(self.shapes, self.strides, grids, strict=True):
            half = torch.tensor(shapes, dtype=torch.float32, device=device) / 2
            middles = cell_points(grid, stride, device)[:, None]
            levels.append(torch.cat((middles - half, middles + half), dim=-1).reshape(-1, 4))
        return levels


def shape_iou(sizes: Float[Tensor, "objects 2"], shapes: Float[Tensor, "shapes 2"]) -> Float[Tensor, "objects shapes"]:
    """Intersection over union of widths and heights laid on one middle; 0 where both have no area."""
    common = torch.minimum(sizes[:, None], shapes[None]).prod(dim=-1)
    union = sizes.prod(dim=-1)[:, None] + shapes.prod(dim=-1)[None] - common
    return torch.where(union > 0, common / union.clamp(min=torch.finfo(union.dtype).tiny), 0)
