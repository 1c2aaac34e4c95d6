"""Anchors: boxes of a few sizes and shapes, laid at every position of a feature map, from which a detector starts.

Two makers of the boxes at one position. `generate_anchors` is py-faster-rcnn's (Ren et al. 2015, section 3.1.1): whole
pixels, corners that both belong to the box, centred on the middle of the first stride. `base_anchors` is today's: centred
on 0, right and bottom exclusive, rounded, as the public weights of torchvision expect. `spread_anchors` lays either.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Anchors = Float[Tensor, "anchors 4"]
Grid = tuple[int, int]  # rows and columns of a feature map


def generate_anchors(
    base_size: int = 16, ratios: Sequence[float] = (0.5, 1, 2), scales: Sequence[float] = (8, 16, 32)
) -> Anchors:
    """The anchors at the first position, ratio by ratio and within it scale by scale.

    The square of side `base_size` takes each ratio at its own area, its sides rounded to whole pixels (halves to the even
    number), and is then multiplied by the scales. x1, y1, x2, y2 in pixels with x2 - x1 + 1 pixels of width: the
    convention of that code, in which the square of 16 is 0, 0, 15, 15.

    Args:
        base_size: pixels from one position to the next; the boxes' common centre lies at (base_size - 1) / 2.
        ratios: height over width.
        scales: sides of the squares, in units of `base_size`.
    """
    height_by_width = torch.tensor(ratios, dtype=torch.float64)
    widths = (base_size**2 / height_by_width).sqrt().round()
    heights = (widths * height_by_width).round()
    factors = torch.tensor(scales, dtype=torch.float64)
    sides = torch.stack((widths, heights), dim=1)[:, None] * factors[None, :, None]
    reach = (sides.flatten(0, 1) - 1) / 2
    middle = (base_size - 1) / 2
    return torch.cat((middle - reach, middle + reach), dim=1).float()


def base_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> Anchors:
    """The anchors at one position, centred on 0: ratio by ratio and within it size by size, rounded to whole pixels.

    Args:
        sizes: square roots of the areas, in pixels.
        ratios: height over width; the area stays.
    """
    heights = torch.tensor(ratios, dtype=torch.float32).sqrt()
    shapes = torch.stack((1 / heights, heights), dim=1)
    sides = shapes[:, None] * torch.tensor(sizes, dtype=torch.float32)[None, :, None]
    half = sides.flatten(0, 1) / 2
    return torch.cat((-half, half), dim=1).round()


def spread_anchors(base: Anchors, grid: Grid, stride: tuple[int, int]) -> Anchors:
    """`base` at every position of a map: row by row, in a row position by position, at a position anchor by anchor.

    Args:
        base: the anchors at the first position, in pixels.
        grid: rows and columns of the map.
        stride: pixels of the picture from one row, and from one column, to the next.
    """
    rows = torch.arange(grid[0], device=base.device, dtype=base.dtype) * stride[0]
    columns = torch.arange(grid[1], device=base.device, dtype=base.dtype) * stride[1]
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    shifts = torch.stack((x, y, x, y), dim=-1)
    return (shifts[:, :, None] + base).reshape(-1, 4)


def grid_stride(picture: tuple[int, int], grid: Grid) -> tuple[int, int]:
    """Pixels from one position to the next where only the sizes are known: height / rows and width / columns, floored.

    A map whose size was rounded up on the way has a little less than its network's stride: 800 pixels over 13 rows give
    61. The public weights of torchvision were trained with that.
    """
    return picture[0] // grid[0], picture[1] // grid[1]


@dataclass(frozen=True, slots=True)
class AnchorLevels:
    """Which anchors each feature map carries, finest map first.

    Attributes:
        sizes: for each level the square roots of the areas, in pixels.
        ratios: heights over widths, the same at every level.
    """

    sizes: tuple[tuple[float, ...], ...]
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)

    @property
    def per_position(self) -> tuple[int, ...]:
        """Anchors at each position, level by level."""
        return tuple(len(sizes) * len(self.ratios) for sizes in self.sizes)

    def __call__(
        self, grids: Sequence[Grid], strides: Sequence[tuple[int, int]], device: torch.device | None = None
    ) -> list[Anchors]:
        """The anchors of each level over its map.

        Raises:
            ValueError: the numbers of levels, maps and strides differ.
        """
        if not len(grids) == len(strides) == len(self.sizes):
            raise ValueError(
                f"Anchors for {len(self.sizes)} levels need as many feature maps and strides; "
                f"given: {len(grids)} maps and {len(strides)} strides."
            )
        bases = (base_anchors(sizes, self.ratios).to(device) for sizes in self.sizes)
        return [spread_anchors(b, g, s) for b, g, s in zip(bases, grids, strides, strict=True)]


def fpn_levels(smallest: float = 32, levels: int = 5) -> AnchorLevels:
    """One size a level, doubling from level to level, in three ratios (Lin et al. 2017, "Feature pyramid", 4.1)."""
    return AnchorLevels(tuple((smallest * 2**level,) for level in range(levels)))


def retinanet_levels(smallest: float = 32, levels: int = 5) -> AnchorLevels:
    """Three sizes an octave, 2^0, 2^(1/3), 2^(2/3), in three ratios (Lin et al. 2017, "Focal loss", section 4).

    Sizes are cut to whole pixels, as the public weights of torchvision have them.
    """
    octave = [2 ** (step / 3) for step in range(3)]
    starts = [smallest * 2**level for level in range(levels)]
    return AnchorLevels(tuple(tuple(float(math.floor(start * share)) for share in octave) for start in starts))


def inside_picture(anchors: Anchors, picture: tuple[int, int], margin: float = 0) -> Bool[Tensor, " anchors"]:
    """Which anchors do not leave the picture (height, width) by more than `margin` pixels.

    Faster R-CNN's RPN trains on these alone (Ren et al. 2015, section 3.3).
    """
    height, width = picture
    x1, y1, x2, y2 = anchors.unbind(-1)
    return (x1 >= -margin) & (y1 >= -margin) & (x2 <= width + margin) & (y2 <= height + margin)
