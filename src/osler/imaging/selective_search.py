"""Selective search: where objects may be, from merging like regions until one is left (Uijlings et al. 2013).

A picture is cut into small regions; the two neighbours most alike are merged, again and again. Every region that ever
existed is a place where an object may be: n regions give 2n - 1. Several colour spaces, sizes of the first regions and
measures of likeness find different objects; their places are shuffled together with the top of each hierarchy first.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from osler.imaging.colour import to_channels
from osler.imaging.graph_segmentation import Labels, PixelGraph, pixel_graph
from osler.imaging.region_features import ALL, Measure, PixelBins, Regions, neighbours

Image = UInt8[np.ndarray, "height width channels"]
Space = Literal["rgb", "hsv", "lab", "rgi", "hue", "grey"]

NO_COLOUR: tuple[Measure, ...] = ("texture", "size", "fill")


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to group a picture's pixels.

    Attributes:
        space: the colours in which pixels and regions are compared.
        k: of the first segmentation, and the pixels that its regions have at least, as in the authors' code.
        measures: which likenesses are added up.
    """

    space: Space = "hsv"
    k: int = 100
    measures: tuple[Measure, ...] = ALL


def _strategies(
    spaces: Sequence[Space], ks: Sequence[int], measures: Sequence[tuple[Measure, ...]]
) -> tuple[Strategy, ...]:
    return tuple(Strategy(space, k, which) for space in spaces for k in ks for which in measures)


SINGLE = (Strategy(),)  # the paper's three settings
FAST = _strategies(("hsv", "lab"), (50, 100), (ALL, NO_COLOUR))
QUALITY = _strategies(("hsv", "lab", "rgi", "hue", "grey"), (50, 100, 150, 300), (ALL, NO_COLOUR, ("fill",), ("size",)))


def selective_search(
    image: Image,
    strategies: Sequence[Strategy] = FAST,
    *,
    seed: int = 0,
    longest: int | None = 500,
    smallest: float = 0,
) -> Float32[np.ndarray, "proposals 4"]:
    """Boxes where objects may be, best first, x1 y1 x2 y2 in pixels; none twice.

    Args:
        image: RGB or grey.
        strategies: `SINGLE`, `FAST`, `QUALITY`, or one's own.
        seed: of the weights in the order: a box's place is a random number in [0, 1) times its place from the top of its
            hierarchy (section 3.3).
        longest: a larger picture is searched at this longest side; the boxes are of the picture given.
        smallest: boxes with a side below so many pixels are left out.
    """
    rng = np.random.default_rng(seed)
    colours = to_channels(image, 3)
    small = _reduced(colours, longest)
    boxes, places = [], []
    prepared: dict[Space, tuple[PixelGraph, PixelBins]] = {}
    segmented: dict[tuple[Space, int], Labels] = {}
    for strategy in strategies:
        if strategy.space not in prepared:
            converted = in_space(small, strategy.space)
            prepared[strategy.space] = pixel_graph(converted), PixelBins(converted)
        graph, bins = prepared[strategy.space]
        key = (strategy.space, strategy.k)
        if key not in segmented:
            segmented[key] = graph.segment(strategy.k, strategy.k)
        found = merge_regions(segmented[key], bins, strategy.measures).boxes
        boxes.append(found)
        places.append(rng.random(len(found)) * np.arange(len(found), 0, -1))
    ordered = np.concatenate(boxes)[np.argsort(np.concatenate(places), kind="stable")]
    once = ordered[np.sort(np.unique(ordered, axis=0, return_index=True)[1])]
    scale = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]] * 2)
    proposals = (once * scale).astype(np.float32)
    return proposals[((proposals[:, 2:] - proposals[:, :2]) >= smallest).all(axis=1)]


def merge_regions(labels: Labels, bins: PixelBins, measures: tuple[Measure, ...] = ALL) -> Regions:
    """All regions that exist as the neighbours most alike are merged until one is left: the first n, then each union.

    Of pairs equally alike the one of the lowest numbers goes first, so that the result is the same each time.
    """
    regions = Regions(labels, bins)
    beside = [set[int]() for _ in range(len(regions.pixels))]
    queue: list[tuple[float, int, int]] = []
    pairs = neighbours(labels)
    for i in np.unique(pairs[:, 0]).tolist():
        others = pairs[pairs[:, 0] == i, 1]
        for j, alike in zip(others.tolist(), regions.likeness(i, others, measures).tolist(), strict=True):
            beside[i].add(j)
            beside[j].add(i)
            queue.append((-alike, i, j))
    heapq.heapify(queue)
    alive = [True] * len(regions.pixels)
    while queue:
        _, i, j = heapq.heappop(queue)
        if not (alive[i] and alive[j]):
            continue  # a pair of which one has been merged since
        alive[i] = alive[j] = False
        new = regions.merge(i, j)
        around = sorted(other for other in beside[i] | beside[j] if alive[other])
        beside[new].update(around)
        if not around:
            break
        likeness = regions.likeness(new, np.array(around), measures).tolist()
        for other, alike in zip(around, likeness, strict=True):
            beside[other].add(new)
            heapq.heappush(queue, (-alike, other, new))
    return regions


def in_space(image: Image, space: Space) -> Image:
    """The RGB picture in another colour space, every channel from 0 to 255.

    `rgi` is red and green as shares of the light, and the light; `hue` and `grey` have one channel. Hue goes round: its 0
    and 255 are neighbours, which no measure here knows.
    """
    if space == "rgb":
        return image
    if space == "hsv":
        return cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    if space == "lab":
        return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    if space == "hue":
        return np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)[:, :, :1])
    if space == "grey":
        return to_channels(image, 1)
    light = image.sum(axis=2, dtype=np.float32)
    shares = image[:, :, :2] * (255 / np.maximum(light, 1))[:, :, None]
    return np.rint(np.dstack((shares, light / 3))).astype(np.uint8)


def _reduced(image: Image, longest: int | None) -> Image:
    height, width = image.shape[:2]
    if longest is None or max(height, width) <= longest:
        return image
    share = longest / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
