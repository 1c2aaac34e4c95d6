"""Weighted sums of a map's positions under the bins of regions: what RoI align and precise RoI pooling share.

The weights of a bin are a product of weights along y and along x. Each bin is a bag of rows of the map, laid out as a
table with a row for each position and a column for each channel; summing bags is what `embedding_bag` does, and its
gradient with respect to the table is again a sum of bags, with rows and bags exchanged.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

Maps = Float[Tensor, "pictures channels height width"]
Rois = Float[Tensor, "regions 5"]
Pooled = Float[Tensor, "regions channels rows columns"]
# For each bin along one axis: the positions under it, and their weights; those past its last have weight 0.
Axis = tuple[Int[Tensor, "regions bins width"], Float[Tensor, "regions bins width"]]

ENTRIES_AT_ONCE = 1 << 24


def with_pictures(boxes: Rois | Sequence[Float[Tensor, "_ 4"]]) -> Rois:
    """Regions as rows of picture, x1, y1, x2, y2, from a list of boxes for each picture; rows stay as they are.

    Raises:
        ValueError: the shapes are others.
    """
    if isinstance(boxes, Tensor):
        if boxes.ndim != 2 or boxes.shape[1] != 5:
            raise ValueError(f"Regions are rows of picture, x1, y1, x2, y2; given: {tuple(boxes.shape)}.")
        return boxes
    for each in boxes:
        if each.ndim != 2 or each.shape[1] != 4:
            raise ValueError(f"Each picture's boxes have the shape [number, 4]; given: {tuple(each.shape)}.")
    if not boxes:
        raise ValueError("A list of boxes has one entry for each picture; this one is empty.")
    pictures = [each.new_full((len(each), 1), i) for i, each in enumerate(boxes)]
    return torch.cat([torch.cat(pictures), torch.cat(list(boxes))], dim=1)


def pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Rows and columns of bins, from one number or two."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def as_table(maps: Maps) -> Float[Tensor, "positions channels"]:
    """A row for each position; no copy where the maps are channels-last already."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def from_table(bins: Float[Tensor, "bins channels"], like: Maps, regions: int, size: tuple[int, int]) -> Pooled:
    """The bins of each region as small maps, in the memory order of the maps that they come from."""
    pooled = bins.view(regions, *size, bins.shape[1]).permute(0, 3, 1, 2)
    return pooled.contiguous() if like.is_contiguous() else pooled


def weighted_windows(maps: Maps, picture: Int[Tensor, " regions"], y: Axis, x: Axis) -> Pooled:
    """Sums over the positions of each bin, weighted by both axes; differentiable for the maps and for the weights."""
    bins = (y[0].shape[1], x[0].shape[1])
    table, exact = as_table(maps), torch.promote_types(maps.dtype, torch.float32)
    entries = bins[0] * bins[1] * y[0].shape[2] * x[0].shape[2]
    many = max(1, ENTRIES_AT_ONCE // max(1, entries))
    base = picture * (maps.shape[2] * maps.shape[3])
    sums = []
    for i in range(0, len(picture), many):
        part = slice(i, i + many)
        rows = (base[part, None, None] + y[0][part] * maps.shape[3], y[1][part].to(exact))
        bags = _bags(rows, (x[0][part], x[1][part].to(exact)))
        sums.append(_WeightedSum.apply(table.to(exact), *bags))
    if not sums:
        return maps.new_zeros(0, maps.shape[1], *bins) + 0 * maps.sum()  # a gradient of zeros, as any other number's
    return from_table(torch.cat(sums).to(maps.dtype), maps, len(picture), bins)


def _bags(y: Axis, x: Axis) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each entry of each bin its weight, its row of the table and its bin; and where each bin's entries start."""
    there = (y[1] != 0)[:, :, None, :, None] & (x[1] != 0)[:, None, :, None, :]
    entry = there.flatten().nonzero().flatten()
    weight = (y[1][:, :, None, :, None] * x[1][:, None, :, None, :]).flatten().index_select(0, entry)
    row = (y[0][:, :, None, :, None] + x[0][:, None, :, None, :]).flatten().index_select(0, entry)
    counts = ((y[1] != 0).sum(-1)[:, :, None] * (x[1] != 0).sum(-1)[:, None, :]).flatten()
    owner = entry // max(1, y[0].shape[2] * x[0].shape[2])
    return weight, row, owner, counts.cumsum(0) - counts


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, weight: Tensor, row: Tensor, owner: Tensor, start: Tensor) -> Tensor:
        ctx.save_for_backward(table if ctx.needs_input_grad[1] else None, weight, row, owner)
        ctx.rows = len(table)
        return F.embedding_bag(row, table, start, mode="sum", per_sample_weights=weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        table, weight, row, owner = ctx.saved_tensors
        gradient, of_table, of_weight = gradient.contiguous(), None, None
        if ctx.needs_input_grad[0]:
            order = row.sort().indices
            counts = torch.bincount(row, minlength=ctx.rows)
            of_table = F.embedding_bag(
                owner.index_select(0, order),
                gradient,
                counts.cumsum(0) - counts,
                mode="sum",
                per_sample_weights=weight.index_select(0, order),
            )
        if ctx.needs_input_grad[1]:
            many = max(1, ENTRIES_AT_ONCE // max(1, gradient.shape[1]))
            of_weight = torch.cat(
                [
                    (gradient.index_select(0, o) * table.index_select(0, r)).sum(1)
                    for o, r in zip(owner.split(many), row.split(many), strict=True)
                ]
            )
        return of_table, of_weight, None, None, None
