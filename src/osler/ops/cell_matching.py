"""YOLO's matching: the cell that holds an object's middle answers for it, and in it one box (v1) or one anchor (v3)."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from osler.ops.anchors import Grid
from osler.ops.cell_anchors import CellAnchors, cell_places, shape_iou
from osler.ops.matching import (
    IGNORED,
    NEGATIVE,
    Anchors,
    Boxes,
    Flags,
    Matches,
    all_overlaps,
    claimed,
    ignore_flagged,
    mostly_inside,
)
from osler.ops.overlap_matrices import box_iou


def cell_match(
    boxes: Boxes, grid: Grid, picture: tuple[int, int], flagged: Flags | None = None
) -> Int[Tensor, " cells"]:
    """The object of each cell, row by row: the one whose middle lies in it (Redmon et al. 2016, section 2).

    A cell answers for one object; of several the one listed first is kept, as in the authors' code. A middle on the line
    between two cells belongs to the right or lower one, on the picture's edge to the last. A cell that holds only a flagged
    object's middle, or lies mostly inside a flagged object, is ignored.

    Args:
        boxes: x1 y1 x2 y2 in pixels; there may be none.
        grid: rows and columns.
        picture: height and width in pixels.
        flagged: objects that are neither to be found nor to be background.
    """
    rows, columns = grid
    unit = boxes.new_tensor([picture[1] / columns, picture[0] / rows])
    cell = ((boxes[:, :2] + boxes[:, 2:]) / 2 / unit).floor().long()
    slots = cell[:, 1].clamp(0, rows - 1) * columns + cell[:, 0].clamp(0, columns - 1)
    real = torch.ones_like(slots, dtype=torch.bool) if flagged is None else ~flagged
    objects = real.nonzero().flatten()
    winner = claimed(slots[objects], boxes.new_zeros(len(objects)), rows * columns)
    matches = torch.cat((objects, objects.new_full((1,), NEGATIVE)))[winner]
    if flagged is None:
        return matches
    unseen = mostly_inside(_cells(grid, unit), boxes[flagged])
    unseen[slots[flagged]] = True
    return matches.masked_fill((matches == NEGATIVE) & unseen, IGNORED)


def _cells(grid: Grid, unit: Float[Tensor, "2"]) -> Float[Tensor, "cells 4"]:
    """The cells as boxes, row by row; `unit` is a cell's width and height."""
    corner = cell_places(grid, unit.device) * unit
    return torch.cat((corner, corner + unit), dim=1)


def responsible_box(
    predicted: Float[Tensor, "cells each 4"], boxes: Boxes, matches: Int[Tensor, " cells"]
) -> Bool[Tensor, "cells each"]:
    """Which of a cell's predicted boxes answers for its object: the one that overlaps it most (Redmon et al. 2016, 2.2).

    Where none overlaps it, the nearest by the distance of the four numbers, as in the authors' code; false throughout a
    cell without an object.
    """
    chosen = torch.zeros(predicted.shape[:2], dtype=torch.bool, device=predicted.device)
    cells = (matches >= 0).nonzero().flatten()
    if cells.numel() == 0:
        return chosen
    with torch.no_grad():
        own, truth = predicted[cells], boxes[matches[cells]]
        overlap = torch.stack([box_iou(own[:, k], truth).diagonal() for k in range(own.shape[1])], dim=1)
        distance = (_middle_and_sides(own) - _middle_and_sides(truth)[:, None]).square().sum(dim=-1)
        score = torch.where((overlap > 0).any(dim=1, keepdim=True), overlap, -distance)
    chosen[cells, score.argmax(dim=1)] = True
    return chosen


def _middle_and_sides(boxes: Float[Tensor, "*boxes 4"]) -> Float[Tensor, "*boxes 4"]:
    return torch.cat(((boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]), dim=-1)


@torch.no_grad()
def best_anchor_match(
    boxes: Boxes,
    layout: CellAnchors,
    grids: Sequence[Grid],
    *,
    predicted: Anchors | None = None,
    ignore: float = 0.5,
    flagged: Flags | None = None,
) -> Matches:
    """Each anchor's object, over all levels in the order in which `layout` lays them (Redmon and Farhadi 2018, 2.1).

    An object has one anchor: of all shapes the one that has the greatest IoU with it when both are centred, in the cell
    that holds its middle. Where two objects want the same, the better fit has it. Other anchors that overlap an object by
    more than `ignore` are ignored, the rest is negative.

    Args:
        boxes: x1 y1 x2 y2 in pixels; there may be none.
        layout: the shapes and strides of the levels.
        grids: rows and columns of each level's map.
        predicted: the boxes that the network gives, one an anchor; then these and not the anchors say what is ignored, as
            in the authors' code.
        ignore: the IoU above which an anchor is no background.
        flagged: objects that are neither to be found nor to be background.
    """
    anchors = torch.cat(layout(grids, boxes.device))
    lying = anchors if predicted is None else predicted
    if len(boxes) == 0:
        return torch.full((len(anchors),), NEGATIVE, device=boxes.device)
    overlaps = all_overlaps(boxes, lying)
    real = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device) if flagged is None else ~flagged
    close = (overlaps > ignore) & real[:, None]
    matches = torch.where(close.any(dim=0), IGNORED, NEGATIVE)
    objects = real.nonzero().flatten()
    slots, fit = _best_slots(boxes[objects], layout, grids)
    winner = claimed(slots, fit, len(anchors))
    taken = (winner >= 0).nonzero().flatten()
    return ignore_flagged(matches.index_copy(0, taken, objects[winner[taken]]), lying, boxes, flagged)


def _best_slots(
    boxes: Boxes, layout: CellAnchors, grids: Sequence[Grid]
) -> tuple[Int[Tensor, " objects"], Float[Tensor, " objects"]]:
    """For each object the place of its best anchor among all, and how well that fits."""
    each = layout.per_position
    device = boxes.device
    shapes = torch.tensor(layout.shapes, dtype=boxes.dtype, device=device).flatten(0, 1)
    fit, best = shape_iou(boxes[:, 2:] - boxes[:, :2], shapes).max(dim=1)
    level = best // each
    sizes = torch.tensor(list(grids), device=device)[level]  # rows and columns
    starts = list(accumulate((rows * columns * each for rows, columns in grids), initial=0))
    stride = torch.tensor(layout.strides, dtype=boxes.dtype, device=device)[level]
    cell = ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride[:, None]).floor().long().clamp(min=0)
    column, row = torch.minimum(cell[:, 0], sizes[:, 1] - 1), torch.minimum(cell[:, 1], sizes[:, 0] - 1)
    first = torch.tensor(starts, device=device)[level]
    return first + (row * sizes[:, 1] + column) * each + best % each, fit
