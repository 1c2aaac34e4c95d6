"""Precise RoI pooling: the mean of the map under each bin, the map taken as a continuous function.

Jiang et al. 2018, "Acquisition of Localization Confidence for Accurate Object Detection", section 3.3: the map is
interpolated between its positions and integrated over the bin. Nothing is sampled, so the result also has a gradient
with respect to the corners of the region. Outside the map the function falls to 0 within one position.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from osler.ops.roi_windows import Axis, Maps, Pooled, Rois, pair, weighted_windows, with_pictures


def precise_roi_pool(
    input: Maps,
    boxes: Rois | Sequence[Float[Tensor, "_ 4"]],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
) -> Pooled:
    """The mean under each bin; differentiable for the map and for the boxes.

    Args:
        input: maps of the pictures; the first position is at 0, as in the published definition.
        boxes: rows of picture, x1, y1, x2, y2; or a list with the `xyxy` boxes of each picture. One without area gives 0.
        output_size: rows and columns of bins.
        spatial_scale: positions of the map per unit of the boxes.

    Raises:
        ValueError: the shapes of the boxes are others.
    """
    rois, (rows, columns) = with_pictures(boxes), pair(output_size)
    x1, y1, x2, y2 = (rois[:, 1:] * spatial_scale).unbind(1)
    y, x = _integrals(y1, y2, rows, input.shape[2]), _integrals(x1, x2, columns, input.shape[3])
    return weighted_windows(input, rois[:, 0].detach().long(), y, x)


def _integrals(start: Float[Tensor, " regions"], end: Float[Tensor, " regions"], bins: int, size: int) -> Axis:
    """The positions that reach into each bin along one axis, and the mean of their hats over it."""
    bin_ = ((end - start) / bins)[:, None]
    edge = start[:, None] + torch.arange(bins + 1, device=start.device) * bin_
    edge = edge.clamp(-1, size)  # beyond, every hat is 0
    low, high = edge[:, :-1], edge[:, 1:]
    first = low.detach().floor()
    width = int((high.detach() - first).max()) + 2 if low.numel() else 1
    node = first[..., None] + torch.arange(width, device=start.device)
    weight = _below(high[..., None] - node) - _below(low[..., None] - node)
    safe = torch.where(bin_ > 0, bin_, 1)[..., None]
    there = (node >= 0) & (node < size) & (bin_ > 0)[..., None]
    return node.long().clamp(0, size - 1), torch.where(there, weight / safe, 0)


def _below(u: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The area of the hat 1 - |x| on [-1, 1] that lies below u."""
    u = u.clamp(-1, 1)
    return torch.where(u < 0, (1 + u).square() / 2, 1 - (1 - u).square() / 2)
