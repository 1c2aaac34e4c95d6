"""A picture cut into small regions of like pixels: the graph-based segmentation of Felzenszwalb and Huttenlocher 2004.

Pixels are nodes, neighbours (eight a pixel) are joined by edges that weigh the distance of their colours. Edges are taken
by growing weight; one joins the regions at its ends if it weighs no more than either's greatest inner edge plus k / size
(section 3.1 and algorithm 1). So k sets how much evidence a border needs while regions are small: a larger k gives larger
regions. Last, regions below a least size join the neighbour with the lightest edge.

The order of the edges makes the result, one after another. What is fast here is what is left out of that loop: edges are
taken by the thousand, and those whose ends are one region already, or end at a region that no later edge can join any
more, go at once. Nothing else changes; the test compares with the plain loop.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int, Num

Channels = Num[np.ndarray, "height width channels"]
Labels = Int[np.ndarray, "height width"]
Pixels = Int[np.ndarray, " pixels"]
Flags = Bool[np.ndarray, " pixels"]

CHUNK = 8192  # edges between two clearings


@dataclass(frozen=True, slots=True)
class PixelGraph:
    """The edges of a picture by growing weight; of equal weight in the order right, down, down right, down left."""

    size: tuple[int, int]  # height, width
    first: Int[np.ndarray, " edges"]  # pixels, counted row by row
    second: Int[np.ndarray, " edges"]
    weight: Float32[np.ndarray, " edges"]

    def segment(self, k: float, least: int = 1) -> Labels:
        """The regions, numbered from 0 in reading order of their first pixels.

        Args:
            k: how strongly small regions hold together, in the picture's levels; of the order of the regions' size.
            least: pixels that a region has at the end at least.
        """
        forest = _Forest(self.size[0] * self.size[1])
        forest.grow(self.first, self.second, self.weight, k)
        if least > 1:
            forest.absorb_small(self.first, self.second, least)
        roots = forest.roots(np.arange(forest.pixels))
        kept, first = np.unique(roots, return_index=True)
        number = np.empty(len(kept), np.int64)
        number[np.argsort(first)] = np.arange(len(kept))
        return number[np.searchsorted(kept, roots)].reshape(self.size)


def pixel_graph(image: Channels, sigma: float = 0.8) -> PixelGraph:
    """The graph of a picture of any channels, weights by the Euclidean distance of neighbours' levels.

    Args:
        image: levels from 0 to 255.
        sigma: pixels of the Gaussian blur before, which takes away traces of compression; 0 for none.
    """
    levels = np.array(image, np.float32, order="C")  # a copy: it is blurred in place
    if sigma > 0:
        cv2.GaussianBlur(levels, (0, 0), dst=levels, sigmaX=sigma, borderType=cv2.BORDER_REFLECT)
    height, width = image.shape[:2]
    pixel = np.arange(height * width, dtype=np.int64).reshape(height, width)
    everything, head, tail = slice(None), slice(None, -1), slice(1, None)
    sides = (
        ((everything, head), (everything, tail)),
        ((head, everything), (tail, everything)),
        ((head, head), (tail, tail)),
        ((head, tail), (tail, head)),
    )
    first = np.concatenate([pixel[a].ravel() for a, _ in sides])
    second = np.concatenate([pixel[b].ravel() for _, b in sides])
    weight = np.concatenate([_distance(levels[a], levels[b]).ravel() for a, b in sides])
    order = np.argsort(weight, kind="stable")
    return PixelGraph((height, width), first[order], second[order], weight[order])


def _distance(a: Channels, b: Channels) -> Float32[np.ndarray, "rows columns"]:
    apart = a - b
    return np.sqrt(np.einsum("ijc,ijc->ij", apart, apart))


def segment_graph(image: Channels, k: float = 100.0, *, sigma: float = 0.8, least: int = 20) -> Labels:
    """The regions of a picture, numbered from 0; see `PixelGraph.segment` and `pixel_graph`."""
    return pixel_graph(image, sigma).segment(k, least)


def segment_to_count(
    image: Channels, low: int = 1000, high: int = 2000, *, sigma: float = 0.8, least: int = 10, tries: int = 16
) -> Labels:
    """Between `low` and `high` regions, by halving the interval in which k lies; the nearest met where none is between.

    A picture whose blocks of `least` pixels are fewer than `low`, or of a single colour, cannot have so many.
    """
    graph = pixel_graph(image, sigma)
    smallest, largest = 1e-2, 1e5
    best, off = graph.segment(np.sqrt(smallest * largest), least), np.inf
    for _ in range(tries):
        k = float(np.sqrt(smallest * largest))
        labels = graph.segment(k, least)
        count = int(labels.max()) + 1
        if max(low - count, count - high) < off:
            best, off = labels, max(low - count, count - high)
        if low <= count <= high:
            break
        smallest, largest = (k, largest) if count > high else (smallest, k)
    return best


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Edges that may still join: by the places of their ends in `regions`, which are roots."""

    regions: Pixels
    first: list[int]
    second: list[int]
    edges: Int[np.ndarray, " open"]


class _Forest:
    """Regions as trees of pixels: every pixel points to another of its region, its root to itself."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.parent = np.arange(pixels, dtype=np.int64)
        self.count = np.ones(pixels, dtype=np.int64)  # of a root: its region's pixels

    def roots(self, pixels: Pixels) -> Pixels:
        """The roots of some pixels; they point to them directly afterwards."""
        found = self.parent[pixels]
        while True:
            above = self.parent[found]
            if np.array_equal(above, found):
                break
            found = above
        self.parent[pixels] = found
        return found

    def grow(
        self,
        first: Pixels,
        second: Pixels,
        weight: Float32[np.ndarray, " edges"],
        k: float,
    ) -> None:
        """Joins along the edges in their order while the regions hold the difference to be small."""
        limit = np.full(self.pixels, k, dtype=np.float64)  # of a root: greatest inner weight + k / pixels

        def living(a: Pixels, b: Pixels, start: int) -> Flags:
            lightest = weight[start]  # a region that refuses it refuses all that follow
            return (limit[a] >= lightest) & (limit[b] >= lightest)

        for chunk in self._chunks(first, second, living):
            regions = chunk.regions
            own, sizes = limit[regions].tolist(), self.count[regions].tolist()
            parent = list(range(len(regions)))
            for i, j, w in zip(chunk.first, chunk.second, weight[chunk.edges].tolist(), strict=True):
                while parent[i] != i:  # written out twice: a call would take half of the loop's time
                    parent[i] = i = parent[parent[i]]
                while parent[j] != j:
                    parent[j] = j = parent[parent[j]]
                if i != j and w <= own[i] and w <= own[j]:
                    i, j = (i, j) if sizes[i] >= sizes[j] else (j, i)
                    parent[j] = i
                    sizes[i] += sizes[j]
                    own[i] = w + k / sizes[i]
            limit[regions] = own
            self._keep(regions, parent, sizes)

    def absorb_small(self, first: Pixels, second: Pixels, least: int) -> None:
        """Joins along the edges in their order where a region has fewer than `least` pixels."""

        def living(a: Pixels, b: Pixels, start: int) -> Flags:
            del start
            return (self.count[a] < least) | (self.count[b] < least)

        for chunk in self._chunks(first, second, living):
            sizes, parent = self.count[chunk.regions].tolist(), list(range(len(chunk.regions)))
            for i, j in zip(chunk.first, chunk.second, strict=True):
                i, j = _top(parent, i), _top(parent, j)
                if i != j and (sizes[i] < least or sizes[j] < least):
                    i, j = (i, j) if sizes[i] >= sizes[j] else (j, i)
                    parent[j] = i
                    sizes[i] += sizes[j]
            self._keep(chunk.regions, parent, sizes)

    def _chunks(
        self, first: Pixels, second: Pixels, living: Callable[[Pixels, Pixels, int], Flags]
    ) -> Iterator[_Chunk]:
        """The edges by the thousand, less those between pixels of one region and those that `living` gives up."""
        for start in range(0, len(first), CHUNK):
            part = slice(start, start + CHUNK)
            a, b = self.roots(first[part]), self.roots(second[part])
            open_ = np.flatnonzero((a != b) & living(a, b, start))
            regions, place = np.unique(np.concatenate((a[open_], b[open_])), return_inverse=True)
            yield _Chunk(regions, place[: len(open_)].tolist(), place[len(open_) :].tolist(), start + open_)

    def _keep(self, regions: Pixels, parent: list[int], sizes: list[int]) -> None:
        self.parent[regions] = regions[parent]
        self.count[regions] = sizes


def _top(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = i = parent[parent[i]]
    return i
