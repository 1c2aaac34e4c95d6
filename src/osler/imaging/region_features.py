"""What regions of a picture look like, and how alike two are: colour, texture, size, fill (Uijlings et al. 2013, 3.2).

Each is from 0 to 1, or a little below 0 for fill, and is worked out from what is kept for a region: its histograms, its
size and its bounding box. All three of a union follow from those of its parts, without a look at the pixels: histograms are
kept as whole numbers of pixels, so that their sum is exactly what counting again would give.
"""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, Int, Int64, UInt8

from osler.imaging.graph_segmentation import Labels

Measure = Literal["colour", "texture", "size", "fill"]
ALL: tuple[Measure, ...] = ("colour", "texture", "size", "fill")

COLOUR_BINS = 25  # a channel
ORIENTATIONS = 8
TEXTURE_BINS = 10  # an orientation of a channel

Indices = Int[np.ndarray, " others"]
Likeness = Float32[np.ndarray, " others"]


class PixelBins:
    """In which bin of which histogram each pixel counts; one for all segmentations of a picture in a colour space.

    Texture is the derivative of a Gaussian of spread 1 in eight directions of the full turn, what points the other way
    counted as 0; its ten bins reach from 0 to the steepest slope that the channel has anywhere in the picture.
    """

    def __init__(self, image: UInt8[np.ndarray, "height width channels"]) -> None:
        self.size = image.shape[:2]
        self.channels = image.shape[2]
        offset = COLOUR_BINS * np.arange(self.channels)
        self.colour = image.reshape(-1, self.channels).astype(np.int64) * COLOUR_BINS // 256 + offset
        slopes = [_texture_bins(image[:, :, c]).reshape(-1, ORIENTATIONS) for c in range(self.channels)]
        own = TEXTURE_BINS * np.arange(ORIENTATIONS * self.channels)
        self.texture = np.concatenate(slopes, axis=1) + own

    def counts(
        self, labels: Labels, regions: int
    ) -> tuple[Int64[np.ndarray, "regions colours"], Int64[np.ndarray, "regions textures"]]:
        """The regions' histograms, as numbers of pixels; all orientations and channels of a region in one row."""
        flat = labels.ravel()
        colours, textures = COLOUR_BINS * self.channels, TEXTURE_BINS * ORIENTATIONS * self.channels
        return _table(flat, self.colour, regions, colours), _table(flat, self.texture, regions, textures)


def _texture_bins(channel: UInt8[np.ndarray, "height width"]) -> Int64[np.ndarray, "height width orientations"]:
    x = np.arange(-4, 5, dtype=np.float32)
    bell = np.exp(-(x**2) / 2)
    bell /= bell.sum()
    slope = x * bell  # correlated with, it is positive where levels grow
    levels = channel.astype(np.float32)
    across = cv2.sepFilter2D(levels, -1, slope, bell, borderType=cv2.BORDER_REFLECT)
    down = cv2.sepFilter2D(levels, -1, bell, slope, borderType=cv2.BORDER_REFLECT)
    steepest = float(np.hypot(across, down).max())
    bins = np.zeros((*channel.shape, ORIENTATIONS), np.int64)
    if steepest < 1e-3:  # rounding alone
        return bins
    for k in range(ORIENTATIONS // 2):
        angle = np.pi * k / (ORIENTATIONS // 2)
        along = (np.cos(angle) * across + np.sin(angle) * down) * (TEXTURE_BINS / steepest)
        bins[:, :, k] = np.clip(along, 0, TEXTURE_BINS - 1)
        bins[:, :, k + ORIENTATIONS // 2] = np.clip(-along, 0, TEXTURE_BINS - 1)
    return bins


def _table(
    labels: Int[np.ndarray, " pixels"], bins: Int64[np.ndarray, "pixels each"], regions: int, width: int
) -> Int64[np.ndarray, "regions width"]:
    places = labels[:, None] * width + bins
    return np.bincount(places.ravel(), minlength=regions * width).reshape(regions, width)


class Regions:
    """The regions of a picture and, as they are merged, their unions: n at first, room for 2n - 1.

    Attributes:
        pixels: of each region.
        boxes: x1, y1, x2, y2 in pixels, right and bottom exclusive.
        colour: pixels in each bin of each channel.
        texture: pixels in each bin of each orientation of each channel.
    """

    def __init__(self, labels: Labels, bins: PixelBins) -> None:
        self.count = int(labels.max()) + 1
        self.area = labels.size
        room = max(2 * self.count - 1, 1)
        colour, texture = bins.counts(labels, self.count)
        self._channels, self._orientations = bins.channels, bins.channels * ORIENTATIONS
        self.pixels = _with_room(np.bincount(labels.ravel(), minlength=self.count), room)
        self.boxes = _with_room(_bounding_boxes(labels, self.count), room)
        self.colour, self.texture = _with_room(colour, room), _with_room(texture, room)
        self._colour_share = np.zeros(self.colour.shape, np.float32)
        self._texture_share = np.zeros(self.texture.shape, np.float32)
        self._normalise(slice(0, self.count))

    def _normalise(self, which: slice) -> None:
        """Histograms that sum to 1 over all bins, channels and orientations of a region."""
        pixels = self.pixels[which, None]
        self._colour_share[which] = self.colour[which] / (pixels * self._channels)
        self._texture_share[which] = self.texture[which] / (pixels * self._orientations)

    def merge(self, i: int, j: int) -> int:
        """The number of a new region, the union of two; everything about it comes from theirs."""
        new = self.count
        self.count += 1
        for counts in (self.pixels, self.colour, self.texture):
            counts[new] = counts[i] + counts[j]
        self.boxes[new, :2] = np.minimum(self.boxes[i, :2], self.boxes[j, :2])
        self.boxes[new, 2:] = np.maximum(self.boxes[i, 2:], self.boxes[j, 2:])
        self._normalise(slice(new, new + 1))
        return new

    def likeness(self, i: int, others: Indices, measures: tuple[Measure, ...] = ALL) -> Likeness:
        """How alike a region is to each of some others: the measures added up."""
        total = np.zeros(len(others), np.float32)
        for measure in measures:
            total += getattr(self, f"{measure}_likeness")(i, others)
        return total

    def colour_likeness(self, i: int, others: Indices) -> Likeness:
        """What two colour histograms have in common, in [0, 1] (equation 1)."""
        return np.minimum(self._colour_share[i], self._colour_share[others]).sum(axis=1)

    def texture_likeness(self, i: int, others: Indices) -> Likeness:
        """What two histograms of slopes have in common, in [0, 1] (equation 3)."""
        return np.minimum(self._texture_share[i], self._texture_share[others]).sum(axis=1)

    def size_likeness(self, i: int, others: Indices) -> Likeness:
        """1 less the share of the picture that both take together: small regions come first (equation 4)."""
        return (1 - (self.pixels[i] + self.pixels[others]) / self.area).astype(np.float32)

    def fill_likeness(self, i: int, others: Indices) -> Likeness:
        """1 less the share of the picture that the box around both has free of them (equation 5)."""
        low = np.minimum(self.boxes[i, :2], self.boxes[others, :2])
        high = np.maximum(self.boxes[i, 2:], self.boxes[others, 2:])
        free = (high - low).prod(axis=1) - self.pixels[i] - self.pixels[others]
        return (1 - free / self.area).astype(np.float32)


def _with_room(rows: Int[np.ndarray, "regions *each"], room: int) -> Int64[np.ndarray, "room *each"]:
    wide = np.zeros((room, *rows.shape[1:]), np.int64)
    wide[: len(rows)] = rows
    return wide


def _bounding_boxes(labels: Labels, regions: int) -> Int64[np.ndarray, "regions 4"]:
    height, width = labels.shape
    boxes = np.empty((regions, 4), np.int64)
    boxes[:, :2], boxes[:, 2:] = (width, height), 0
    rows, columns = np.divmod(np.arange(labels.size), width)
    flat = labels.ravel()
    for column, place in ((0, columns), (1, rows)):
        np.minimum.at(boxes[:, column], flat, place)
        np.maximum.at(boxes[:, column + 2], flat, place + 1)
    return boxes


def neighbours(labels: Labels) -> Int64[np.ndarray, "pairs 2"]:
    """The pairs of regions that share a side of a pixel, each once, the smaller number first."""
    beside = np.stack((labels[:, :-1].ravel(), labels[:, 1:].ravel()), axis=1)
    below = np.stack((labels[:-1].ravel(), labels[1:].ravel()), axis=1)
    pairs = np.concatenate((beside, below)).astype(np.int64)
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    regions = int(labels.max()) + 1
    coded = np.unique(pairs[:, 0] * regions + pairs[:, 1])
    return np.stack(np.divmod(coded, regions), axis=1)
