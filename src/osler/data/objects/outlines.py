"""What an object's outline is filed as, polygons or runs, and the mask that it makes.

A polygon's points are x, y on the picture's edges (its first pixel spans 0 to 1); a pixel is inside where its middle
is. OpenCV's own filling also takes every pixel that the edge touches, half a pixel too much all around, so polygons
are filled at eight times the size and the pixels' middles read off: what is left is a sixteenth of a pixel. Several rings
of an object are joined, not cut out of each other, as in COCO.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from osler.data.objects.rle import Counts, checked_runs, compress, decode_mask, decompress, encode_mask
from osler.structures.errors import DataError

FINER = 8  # times the picture's size at which polygons are filled
SHIFT = 4  # OpenCV's fixed-point bits below a pixel

Ring = Float[np.ndarray, "points 2"]
Mask = UInt8[np.ndarray, "height width"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Polygons:
    """An outline of one ring or several, in pixels."""

    rings: tuple[Ring, ...]

    def mask(self, height: int, width: int) -> Mask:
        """The pixels of a picture of that size whose middle is in one of the rings."""
        mask = np.zeros((height, width), np.uint8)
        for ring in self.rings:
            _fill(mask, ring)
        return mask

    def box(self) -> Box:
        """The tightest box around all rings."""
        points = np.concatenate(self.rings)
        (x1, y1), (x2, y2) = points.min(0).tolist(), points.max(0).tolist()
        return x1, y1, x2, y2


@dataclass(frozen=True, slots=True)
class Runs:
    """A mask in COCO's compressed runs, for a picture of one size."""

    height: int
    width: int
    text: str

    @classmethod
    def of(cls, mask: Mask) -> "Runs":
        """The runs of a mask."""
        return cls(mask.shape[0], mask.shape[1], compress(encode_mask(mask)))

    @classmethod
    def from_counts(cls, counts: str | bytes | Sequence[int], height: int, width: int) -> "Runs":
        """Runs as they are filed, compressed or as numbers, checked.

        Raises:
            DataError: they are no runs, or make another area.
        """
        numbers = decompress(counts) if isinstance(counts, (str, bytes)) else counts
        return cls(height, width, compress(checked_runs(numbers, height, width)))

    @property
    def counts(self) -> Counts:
        """The runs as numbers."""
        return decompress(self.text)

    def mask(self, height: int, width: int) -> Mask:
        """The mask.

        Raises:
            DataError: the picture is of another size.
        """
        if (height, width) != (self.height, self.width):
            raise DataError(
                f"a mask was drawn for a picture of {self.height} x {self.width}, and the picture has {height} x {width}"
            )
        return decode_mask(self.counts, height, width)

    def box(self) -> Box:
        """The tightest box around the mask; zeros where it is empty. The mask, which may be huge, is not drawn."""
        ends = np.cumsum(self.counts)
        first, last = ends[:-1:2], ends[1::2] - 1  # pixels of each run of ones
        inked = first <= last
        first, last = first[inked], last[inked]
        if len(first) == 0:
            return 0.0, 0.0, 0.0, 0.0
        left, right = first // self.height, last // self.height
        top, bottom = first % self.height, last % self.height
        if (left != right).any():  # a run that goes on in the next column has its pixels at the bottom and at the top
            return float(left.min()), 0.0, float(right.max() + 1), float(self.height)
        return float(left.min()), float(top.min()), float(right.max() + 1), float(bottom.max() + 1)


Outline = Polygons | Runs


def draw_masks(
    outlines: Sequence[Outline | None], height: int, width: int
) -> UInt8[np.ndarray, "objects height width"]:
    """A mask for each outline; empty where there is none.

    Raises:
        DataError: runs are of a picture of another size.
    """
    masks = np.zeros((len(outlines), height, width), np.uint8)
    for mask, outline in zip(masks, outlines, strict=True):
        if isinstance(outline, Polygons):
            for ring in outline.rings:
                _fill(mask, ring)
        elif outline is not None:
            mask[:] = outline.mask(height, width)
    return masks


def _fill(mask: Mask, ring: Ring) -> None:
    """Sets a ring's pixels, drawing no more than the part of the picture where it lies."""
    height, width = mask.shape
    points = np.clip(ring, -width - height, 2 * (width + height))  # far outside, OpenCV's fixed point would overflow
    left, top = np.clip(np.floor(points.min(0)).astype(int), 0, (width, height)).tolist()
    right, bottom = np.clip(np.ceil(points.max(0)).astype(int), 0, (width, height)).tolist()
    if right <= left or bottom <= top:
        return
    fine = np.zeros(((bottom - top) * FINER, (right - left) * FINER), np.uint8)
    # OpenCV's points are fine pixels' middles: fine pixel 4 of 0 to 7 so stands for the very middle of a pixel.
    scaled = (points - (left, top)) * FINER
    cv2.fillPoly(fine, [np.round(scaled * (1 << SHIFT)).astype(np.int32)], 1, shift=SHIFT)
    mask[top:bottom, left:right] |= fine[FINER // 2 :: FINER, FINER // 2 :: FINER]


def trace(mask: Mask) -> Polygons | None:
    """Polygons along the outer edges of a mask's pieces, on pixel edges; None for an empty mask. Holes are filled.

    OpenCV's contours run through the middles of edge pixels, so the mask is doubled first and the contour, which then
    runs a quarter of a pixel inside, set to the nearest pixel edges.
    """
    doubled = np.repeat(np.repeat(np.asarray(mask, np.uint8), 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rings = []
    for contour in contours:
        # Fine pixel k covers half of pixel k // 2: an even one lies at its lower edge, an odd one at its upper.
        corners = (contour[:, 0] + 1) // 2
        rings.append(_corners_only(corners.astype(np.float32)))
    return Polygons(tuple(rings)) if rings else None


def _corners_only(points: Ring) -> Ring:
    """A ring without repeated points and without points on a straight line between their neighbours."""
    points = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    kept = points[turns != 0]
    return kept if len(kept) >= 3 else points
