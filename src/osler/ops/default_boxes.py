"""SSD's default boxes: for each feature map one scale, several shapes, at the middle of every cell (Liu et al. 2016, 2.2)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from osler.ops.anchors import Grid
from osler.ops.boxes import box_convert

Clip = Literal["none", "sides", "corners"]


def ssd_scales(levels: int, smallest: float = 0.2, largest: float = 0.9) -> list[float]:
    """s_k = s_min + (s_max - s_min) (k - 1) / (m - 1), as shares of the picture's side, and 1 beyond the last.

    One more than `levels`: a map's extra box lies between its own scale and the next one's.
    """
    step = (largest - smallest) / max(levels - 1, 1)
    return [smallest + step * level for level in range(levels)] + [1.0]


@dataclass(frozen=True, slots=True)
class DefaultBoxes:
    """Which default boxes each feature map carries, finest map first.

    Attributes:
        ratios: for each map the widths over heights besides 1; each is used both ways (2 gives 2 and 1/2).
        scales: one more than maps, as shares of the picture's side.
        steps: pixels of the picture from one cell to the next; `None` divides the picture evenly.
        steps_of: side in pixels of the only pictures that the steps are for, others are divided evenly; `None`: of all.
        clip: `sides` cuts widths and heights to the picture's, `corners` cuts the boxes at its edge.
    """

    ratios: tuple[tuple[float, ...], ...]
    scales: tuple[float, ...]
    steps: tuple[int, ...] | None = None
    clip: Clip = "sides"
    steps_of: int | None = None

    def __post_init__(self) -> None:
        """Refuses numbers of maps that do not agree."""
        if len(self.scales) != len(self.ratios) + 1:
            raise ValueError(
                f"Default boxes over {len(self.ratios)} maps need one scale more than maps; given: {len(self.scales)}."
            )
        if self.steps is not None and len(self.steps) != len(self.ratios):
            raise ValueError(f"{len(self.ratios)} maps need as many steps; given: {len(self.steps)}.")

    @property
    def per_position(self) -> tuple[int, ...]:
        """Boxes at each cell, map by map: the square, the extra square, and two for each further ratio."""
        return tuple(2 + 2 * len(ratios) for ratios in self.ratios)

    def shapes(self, level: int) -> Float[Tensor, "boxes 2"]:
        """Widths and heights at each cell of a map, as shares of the picture's sides.

        The square of scale s_k, the square of scale sqrt(s_k s_k+1), and for each ratio r both s_k sqrt(r) by
        s_k / sqrt(r) and that on its side.
        """
        own, following = self.scales[level], self.scales[level + 1]
        between = math.sqrt(own * following)
        sides = [(own, own), (between, between)]
        for ratio in self.ratios[level]:
            wide, high = own * math.sqrt(ratio), own / math.sqrt(ratio)
            sides += [(wide, high), (high, wide)]
        shapes = torch.tensor(sides, dtype=torch.float32)
        return shapes.clamp(0, 1) if self.clip == "sides" else shapes

    def __call__(
        self, grids: Sequence[Grid], picture: tuple[int, int], device: torch.device | None = None
    ) -> Float[Tensor, "boxes 4"]:
        """All boxes, x1 y1 x2 y2 in pixels: map by map, row by row, cell by cell, shape by shape.

        Args:
            grids: rows and columns of each map.
            picture: height and width in pixels.
            device: where they shall lie.

        Raises:
            ValueError: there are more or fewer maps than levels.
        """
        if len(grids) != len(self.ratios):
            raise ValueError(f"Default boxes were made for {len(self.ratios)} maps; given: {len(grids)}.")
        boxes = torch.cat([self._level(k, grid, picture, device) for k, grid in enumerate(grids)])
        corners = box_convert(boxes, "cxcywh", "xyxy")
        if self.clip == "corners":
            corners = corners.clamp(0, 1)
        return corners * torch.tensor([picture[1], picture[0]] * 2, dtype=corners.dtype, device=device)

    def _level(self, level: int, grid: Grid, picture: tuple[int, int], device: torch.device | None) -> Tensor:
        """Middles, widths and heights of one map's boxes, as shares of the picture."""
        rows, columns = grid
        down, across = float(rows), float(columns)  # cells that a side of the picture holds
        if self.steps is not None and (self.steps_of is None or set(picture) == {self.steps_of}):
            down, across = picture[0] / self.steps[level], picture[1] / self.steps[level]
        y, x = torch.meshgrid(
            (torch.arange(rows, device=device) + 0.5) / down,
            (torch.arange(columns, device=device) + 0.5) / across,
            indexing="ij",
        )
        shapes = self.shapes(level).to(device)
        middles = torch.stack((x, y), dim=-1)[:, :, None].expand(-1, -1, len(shapes), -1)
        return torch.cat((middles, shapes.expand(rows, columns, -1, -1)), dim=-1).reshape(-1, 4)


SSD300 = DefaultBoxes(  # scales of the model trained on COCO (section 3.4), those of torchvision's weights
    ratios=((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
    scales=(0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05),
    steps=(8, 16, 32, 64, 100, 300),
    steps_of=300,
)
SSD512 = DefaultBoxes(  # seven maps, whose cells divide 512 evenly; scales of Pascal VOC's model: 0.07, then evenly from 0.15
    ratios=((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,)),
    scales=(0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05),
)
