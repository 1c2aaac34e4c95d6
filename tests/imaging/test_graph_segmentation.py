import numpy as np
import pytest
import skimage.data
from skimage.segmentation import felzenszwalb

from osler.imaging.graph_segmentation import pixel_graph, segment_graph, segment_to_count
from osler.imaging.resize import resize


def plain(image, k, least):
    """Algorithm 1 as it is written: one edge after the other, nothing left out."""
    graph = pixel_graph(image, 0)
    parent = list(range(image.shape[0] * image.shape[1]))
    size, inner = [1] * len(parent), [0.0] * len(parent)

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    edges = list(zip(graph.first.tolist(), graph.second.tolist(), graph.weight.tolist(), strict=True))
    for small in (False, True):
        for i, j, w in edges:
            a, b = root(i), root(j)
            if a == b:
                continue
            joins = min(size[a], size[b]) < least if small else w <= min(inner[r] + k / size[r] for r in (a, b))
            if joins:
                parent[b] = a
                size[a] += size[b]
                inner[a] = w
    return np.array([root(i) for i in range(len(parent))]).reshape(image.shape[:2])


def same_partition(a, b):
    pairs = len(np.unique(a.astype(np.int64).ravel() * (int(b.max()) + 1) + b.ravel()))
    return pairs == len(np.unique(a)) == len(np.unique(b))


def astronaut(side):
    return resize(skimage.data.astronaut(), (side, side))


@pytest.mark.craft("DE06")
@pytest.mark.parametrize(("k", "least"), [(30, 1), (100, 20), (800, 5)])
@pytest.mark.parametrize("kind", ["noise", "photograph", "few levels"])
def test_nothing_that_matters_is_left_out_of_the_loop(kind, k, least):
    rng = np.random.default_rng(0)
    images = {
        "noise": rng.random((70, 60, 3)) * 255,
        "photograph": astronaut(128),  # more edges than one chunk has
        "few levels": rng.integers(0, 3, (50, 40, 1)) * 40,  # many equal weights
    }
    image = images[kind]
    ours = segment_graph(image, k, sigma=0, least=least)
    assert same_partition(ours, plain(image, k, least))
    assert np.bincount(ours.ravel()).min() >= least


@pytest.mark.craft("DE06")
@pytest.mark.parametrize(("k", "least"), [(100, 1), (300, 20)])
def test_equal_to_scikit_image(k, least):
    image = np.random.default_rng(1).random((60, 70, 3)) * 255
    theirs = felzenszwalb(image, scale=255 * k, sigma=0, min_size=least)  # it divides its scale by 255
    assert same_partition(segment_graph(image, k, sigma=0, least=least), theirs)


@pytest.mark.craft("DE06")
@pytest.mark.parametrize(("low", "high"), [(1000, 2000), (300, 400)])
def test_the_number_of_regions_can_be_steered(low, high):
    labels = segment_to_count(astronaut(256), low, high)
    assert low <= len(np.unique(labels)) <= high
    assert labels.max() == len(np.unique(labels)) - 1


@pytest.mark.craft("DE06")
def test_a_larger_k_gives_fewer_regions():
    graph = pixel_graph(astronaut(128))
    counts = [graph.segment(k).max() + 1 for k in (10, 100, 1000)]
    assert counts[0] > counts[1] > counts[2] > 1


def test_blocks_of_one_colour_are_found_and_numbered_in_reading_order():
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 10:20], image[12:, 20:] = 120, 240
    labels = segment_graph(image, 50, sigma=0, least=1)
    expected = np.zeros((20, 30), int)
    expected[:, 10:20], expected[:, 20:], expected[12:, 20:] = 1, 2, 3
    assert np.array_equal(labels, expected)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (9, 1, 3), (16, 16, 1)])
def test_pictures_with_nothing_to_cut(shape):
    image = np.full(shape, 7, np.uint8)
    assert segment_graph(image).max() == 0
    assert segment_to_count(image, 2, 3).max() == 0


def test_the_picture_given_is_left_as_it_is():
    image = np.random.default_rng(0).random((12, 12, 3)).astype(np.float32) * 255
    before = image.copy()
    segment_graph(image)
    assert np.array_equal(image, before)


def test_blur_takes_away_what_small_noise_would_make_regions_of():
    image = 100 + np.random.default_rng(0).normal(0, 10, (40, 40, 1))
    sharp, blurred = (segment_graph(image, 10, sigma=sigma, least=1).max() for sigma in (0, 2))
    assert blurred < sharp / 4
