"""The pooling of regions as layers, in torchvision's signatures, and the choice of a pyramid's level for each region."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from osler.ops.roi_alignment import roi_align
from osler.ops.roi_pooling import roi_pool
from osler.ops.roi_windows import Maps, Pooled, Rois, pair, with_pictures


class RoIAlign(nn.Module):
    """`roi_align` with its settings."""

    def __init__(
        self, output_size: int | Sequence[int], spatial_scale: float, sampling_ratio: int, aligned: bool = False
    ) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale
        self.sampling_ratio, self.aligned = sampling_ratio, aligned

    def forward(self, input: Maps, rois: Rois | Sequence[Float[Tensor, "_ 4"]]) -> Pooled:
        """The map under each region, in bins."""
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}"
        )


class RoIPool(nn.Module):
    """`roi_pool` with its settings."""

    def __init__(self, output_size: int | Sequence[int], spatial_scale: float) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Maps, rois: Rois | Sequence[Float[Tensor, "_ 4"]]) -> Pooled:
        """The map under each region, in bins."""
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def extra_repr(self) -> str:
        """The settings."""
        return f"output_size={self.output_size}, spatial_scale={self.spatial_scale}"


def pyramid_level(
    boxes: Float[Tensor, "boxes 4"],
    lowest: int,
    highest: int,
    canonical_scale: float = 224,
    canonical_level: int = 4,
) -> Int[Tensor, " boxes"]:
    """The level of a pyramid for each `xyxy` box: floor(canonical_level + log2(sqrt(w h) / canonical_scale)).

    Lin et al. 2017, "Feature Pyramid Networks", eq. 1; cut to the levels that there are.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    size = (sides[:, 0] * sides[:, 1]).clamp(min=0).sqrt()
    level = (canonical_level + torch.log2(size / canonical_scale) + 1e-6).floor()  # a size at the edge is the larger's
    return level.clamp(lowest, highest).long()


class MultiScaleRoIAlign(nn.Module):
    """RoI align on the maps of a pyramid, each region at the level that suits its size.

    Args:
        featmap_names: the maps to use, finest first, each half as fine as the one before.
        output_size: rows and columns of bins.
        sampling_ratio: samples along each side of a bin; 0 or less: by the bin's length.
        canonical_scale: the size, in the boxes' unit, of a region that belongs to `canonical_level`.
        canonical_level: a level, counted as log2 of the stride.
    """

    def __init__(
        self,
        featmap_names: Sequence[str],
        output_size: int | Sequence[int],
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.featmap_names, self.output_size, self.sampling_ratio = (
            list(featmap_names),
            pair(output_size),
            sampling_ratio,
        )
        self.canonical_scale, self.canonical_level = canonical_scale, canonical_level

    def forward(
        self, x: Mapping[str, Maps], boxes: Sequence[Float[Tensor, "_ 4"]], image_shapes: Sequence[tuple[int, int]]
    ) -> Pooled:
        """The regions of all pictures, picture by picture; `image_shapes` are heights and widths before padding.

        Raises:
            ValueError: a map is missing, or there are none.
        """
        missing = [name for name in self.featmap_names if name not in x]
        if missing or not self.featmap_names:
            raise ValueError(f"The pooler reads the maps {self.featmap_names}; given: {list(x)}.")
        maps = [x[name] for name in self.featmap_names]
        strides = [_log2_stride(each, image_shapes) for each in maps]
        rois = with_pictures(boxes)
        if len(maps) == 1:
            return self._pooled(maps[0], rois, strides[0])
        level = pyramid_level(rois[:, 1:], strides[0], strides[-1], self.canonical_scale, self.canonical_level)
        parts, places = [], []
        for each, stride in zip(maps, strides, strict=True):
            mine = (level == stride).nonzero().flatten()
            parts.append(self._pooled(each, rois.index_select(0, mine), stride))
            places.append(mine)
        return torch.cat(parts).index_select(0, torch.cat(places).argsort())

    def _pooled(self, maps: Maps, rois: Rois, stride: int) -> Pooled:
        return roi_align(maps, rois, self.output_size, 2.0**-stride, self.sampling_ratio)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.featmap_names}, output_size={self.output_size}, sampling_ratio={self.sampling_ratio}"


def _log2_stride(maps: Maps, image_shapes: Sequence[tuple[int, int]]) -> int:
    """From the height of a map and of the batch that it was made of."""
    return round(math.log2(max(height for height, _ in image_shapes) / maps.shape[2]))
