"""The features of regions, each cut from the level of the pyramid that suits its size."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.ops.precise_roi import precise_roi_pool
from osler.ops.roi_alignment import roi_align
from osler.ops.roi_layers import pyramid_level
from osler.ops.roi_pooling import roi_pool

Maps = Sequence[Float[Tensor, "batch channels height width"]]
Pool = Callable[[Tensor, Tensor, int, float], Tensor]  # of a map, rois, bins and scale

CANONICAL_SIZE = 224  # of ImageNet's pictures, which ResNet saw whole at stride 32


def aligned_features(level: Tensor, rois: Tensor, bins: int, scale: float) -> Tensor:
    """RoI align with two samples along each side of a bin (He et al. 2017, section 3)."""
    return roi_align(level, rois, bins, scale, sampling_ratio=2)


def pooled_features(level: Tensor, rois: Tensor, bins: int, scale: float) -> Tensor:
    """RoI pooling, the maximum over whole positions (Girshick 2015, section 2.1)."""
    return roi_pool(level, rois, bins, scale)


def precise_features(level: Tensor, rois: Tensor, bins: int, scale: float) -> Tensor:
    """Precise RoI pooling, the mean of the continuous map under each bin (Jiang et al. 2018, section 3.3)."""
    return precise_roi_pool(level, rois, bins, scale)


POOLS: dict[str, Pool] = {"align": aligned_features, "pool": pooled_features, "precise": precise_features}


class RegionFeatures(nn.Module):
    """Features of every region in `bins` x `bins`, whatever its size (Lin et al. 2017, "Feature pyramid", equation 1).

    Args:
        strides: of the levels that may be used, finest first, each twice the one before.
        bins: rows and columns.
        pool: how a region becomes bins.
        canonical: side in pixels of the regions that are cut from the level of stride 16. 224 is for pictures of about
            800 pixels; smaller pictures want less.
    """

    def __init__(
        self,
        strides: Sequence[int],
        bins: int = 7,
        pool: Pool = aligned_features,
        canonical: float = CANONICAL_SIZE,
    ) -> None:
        super().__init__()
        self.strides, self.bins, self.pool, self.canonical = tuple(strides), bins, pool, canonical

    def forward(
        self, levels: Maps, regions: Sequence[Float[Tensor, "_ 4"]]
    ) -> Float[Tensor, "regions channels bins bins"]:
        """The features of the regions of all pictures, picture by picture.

        Args:
            levels: maps, of which the first as many as there are strides are used.
            regions: boxes of each picture in its pixels.
        """
        rois = torch.cat(
            [torch.cat((boxes.new_full((len(boxes), 1), i), boxes), dim=1) for i, boxes in enumerate(regions)]
        )
        if len(self.strides) == 1:
            return self.pool(levels[0], rois, self.bins, 1 / self.strides[0])
        first = self.strides[0].bit_length() - 1  # the number of a level is the logarithm of its stride
        where = pyramid_level(rois[:, 1:], first, first + len(self.strides) - 1, self.canonical) - first
        out = levels[0].new_zeros((len(rois), levels[0].shape[1], self.bins, self.bins))
        for number, stride in enumerate(self.strides):
            rows = (where == number).nonzero().flatten()
            if len(rows):
                features = self.pool(levels[number], rois[rows], self.bins, 1 / stride)
                out = out.index_copy(0, rows, features.to(out.dtype))
        return out
