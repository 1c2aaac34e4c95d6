"""RoI pooling: the largest value under each bin of a region, whose edges are rounded to whole positions.

Girshick 2015, "Fast R-CNN", section 2.1, in the form of its published code: corners are rounded to positions, both
inclusive, and a bin reaches from the position that its start falls into to the one that its end reaches.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from osler.ops.roi_windows import Maps, Pooled, Rois, as_table, from_table, pair, with_pictures

BINS_AT_ONCE = 1024  # with 256 channels a megabyte: the running maximum stays in the processor's cache

Span = tuple[Int[Tensor, "regions bins"], Int[Tensor, "regions bins"]]  # first position, number of positions


def roi_pool(
    input: Maps,
    boxes: Rois | Sequence[Float[Tensor, "_ 4"]],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
) -> Pooled:
    """The largest value under each bin, 0 where a bin lies outside the map; differentiable for the map.

    Args:
        input: maps of the pictures.
        boxes: rows of picture, x1, y1, x2, y2; or a list with the `xyxy` boxes of each picture.
        output_size: rows and columns of bins.
        spatial_scale: positions of the map per unit of the boxes, such as 1 / stride.

    Raises:
        ValueError: the shapes of the boxes are others.
    """
    rois, size = with_pictures(boxes).detach(), pair(output_size)
    scaled = rois[:, 1:] * spatial_scale
    corners = torch.sign(scaled) * (scaled.abs() + 0.5).floor()  # halves go away from zero
    y = _spans(corners[:, 1], corners[:, 3], size[0], input.shape[2])
    x = _spans(corners[:, 0], corners[:, 2], size[1], input.shape[3])
    start = (rois[:, 0].long() * input.shape[2])[:, None] + y[0]
    first = (start * input.shape[3])[:, :, None] + x[0][:, None, :]
    rows, columns = (count.expand_as(first).flatten() for count in (y[1][:, :, None], x[1][:, None, :]))
    pooled = _LargestUnder.apply(as_table(input), first.flatten(), rows, columns, input.shape[3])
    return from_table(pooled, input, len(rois), size)


def _spans(start: Float[Tensor, " regions"], end: Float[Tensor, " regions"], bins: int, size: int) -> Span:
    """The positions under each bin along one axis, cut at the map's edges."""
    bin_ = ((end - start + 1).clamp(min=1) / bins)[:, None]
    nth = torch.arange(bins, device=start.device)
    low = (start[:, None] + (nth * bin_).floor()).clamp(0, size)
    high = (start[:, None] + ((nth + 1) * bin_).ceil()).clamp(0, size)
    return low.long(), (high - low).long().clamp(min=0)


class _LargestUnder(torch.autograd.Function):
    """Windows of a table's rows, by decreasing area and a few at a time, each place of the window in turn."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, first: Tensor, rows: Tensor, columns: Tensor, width: int) -> Tensor:
        empty = (rows == 0) | (columns == 0)
        best = table.new_zeros(len(first), table.shape[1])
        where = torch.zeros(best.shape if ctx.needs_input_grad[0] else (0, 0), dtype=torch.int32, device=best.device)
        order = (rows * columns).masked_fill(empty, 0).argsort(descending=True, stable=True)
        order = order[: len(order) - int(empty.sum())]
        for part in order.split(BINS_AT_ONCE) if len(order) else ():
            largest, place = _largest(table, first[part], rows[part], columns[part], width, len(where) > 0)
            best[part] = largest
            if len(where):
                where[part] = place
        ctx.save_for_backward(where, first, empty)
        ctx.positions = len(table)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        where, first, empty = ctx.saved_tensors
        channels = gradient.shape[1]
        start = first.masked_fill(empty, 0)[:, None] * channels + torch.arange(channels, device=first.device)
        flat = where.long().mul_(channels).add_(start)
        of_table = gradient.new_zeros(ctx.positions * channels)
        of_table.index_add_(0, flat.flatten(), gradient.masked_fill(empty[:, None], 0).flatten())
        return of_table.view(-1, channels), None, None, None, None


def _largest(
    table: Tensor, first: Tensor, rows: Tensor, columns: Tensor, width: int, want_place: bool
) -> tuple[Tensor, Tensor]:
    """The largest values, and how far behind the window's first row the first of them stands.

    A window that ends before others is read at its last place again, which is no larger.
    """
    largest = table.index_select(0, first)
    place = torch.zeros(largest.shape if want_place else (0, 0), dtype=torch.int32, device=table.device)
    for down in range(int(rows.max())):
        line = first + torch.minimum(rows - 1, rows.new_tensor(down)) * width
        for across in range(int(columns.max())):
            value = table.index_select(0, line + torch.minimum(columns - 1, columns.new_tensor(across)))
            if want_place:  # places come in rising order; a maximum is six times as fast as torch.where
                torch.maximum(place, (value > largest).to(torch.int32).mul_(down * width + across), out=place)
            torch.maximum(largest, value, out=largest)
    return largest, place
