"""RoI align: the map read at exact places within each bin of a region, and averaged.

He et al. 2017, "Mask R-CNN", section 3: nothing is rounded; each sample is interpolated between four positions. A
sample farther than one position outside the map counts as 0, as in the published code.
"""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from osler.ops.roi_windows import Axis, Maps, Pooled, Rois, pair, weighted_windows, with_pictures


def roi_align(
    input: Maps,
    boxes: Rois | Sequence[Float[Tensor, "_ 4"]],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Pooled:
    """The map under each region, in `output_size` bins; differentiable for the map.

    Args:
        input: maps of the pictures.
        boxes: rows of picture, x1, y1, x2, y2; or a list with the `xyxy` boxes of each picture.
        output_size: rows and columns of bins.
        spatial_scale: positions of the map per unit of the boxes, such as 1 / stride.
        sampling_ratio: samples along each side of a bin; 0 or less: one for each position that it is long, rounded up.
        aligned: whether the middle of the first pixel is at 0.5, as it should be; False, the first published form, puts
            it at 0, so reads half a position off, and gives each region at least the length 1.

    Raises:
        ValueError: the shapes of the boxes are others.
    """
    rois, (rows, columns) = with_pictures(boxes), pair(output_size)
    if torch.compiler.is_exporting():
        from osler.ops.graph_nodes import roi_align_node

        node = roi_align_node(input, rois, rows, columns, float(spatial_scale), sampling_ratio, aligned)
        return cast(Tensor, node)
    corners = rois[:, 1:].detach() * spatial_scale - (0.5 if aligned else 0.0)
    sides = corners[:, 2:] - corners[:, :2]
    if not aligned:
        sides = sides.clamp(min=1)
    y = _samples(corners[:, 1], sides[:, 1] / rows, rows, input.shape[2], sampling_ratio)
    x = _samples(corners[:, 0], sides[:, 0] / columns, columns, input.shape[3], sampling_ratio)
    return weighted_windows(input, rois[:, 0].long(), y, x)


def _samples(
    start: Float[Tensor, " regions"], bin_: Float[Tensor, " regions"], bins: int, size: int, ratio: int
) -> Axis:
    """The positions between which the samples of each bin lie along one axis, and their shares of the mean."""
    grid = torch.full_like(bin_, ratio) if ratio > 0 else bin_.ceil().clamp(min=0)
    most = ratio if ratio > 0 else max(1, int(grid.max())) if len(grid) else 1
    step = (bin_ / grid.clamp(min=1))[:, None, None]
    nth = torch.arange(most, device=start.device)
    corner = start[:, None] + torch.arange(bins, device=start.device) * bin_[:, None]
    at = corner[:, :, None] + (nth + 0.5) * step
    counts = (nth < grid[:, None, None]) & (at >= -1) & (at <= size)
    share = counts / grid.clamp(min=1)[:, None, None]
    at = torch.where(counts, at, 0).clamp(0, size - 1)
    low = at.floor()
    beyond = (at - low) * share
    low = low.long()
    position = torch.stack((low, (low + 1).clamp(max=size - 1)), dim=-1).flatten(2)
    return _merged(position, torch.stack((share - beyond, beyond), dim=-1).flatten(2))


def _merged(position: Int[Tensor, "regions bins entries"], weight: Float[Tensor, "regions bins entries"]) -> Axis:
    """Each position once, with the sum of its weights: neighbouring samples share them."""
    position, order = position.sort(dim=-1)
    other = torch.zeros_like(position)
    other[..., 1:] = position[..., 1:] != position[..., :-1]
    slot = other.cumsum(-1)
    weight = torch.zeros_like(weight).scatter_add(-1, slot, weight.gather(-1, order))
    position = torch.zeros_like(position).scatter(-1, slot, position)
    width = int(slot.max()) + 1 if slot.numel() else 1
    return position[..., :width], weight[..., :width]
