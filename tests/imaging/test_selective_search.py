import cv2
import numpy as np
import pytest
import skimage.data
import torch

from osler.imaging.graph_segmentation import segment_graph
from osler.imaging.region_features import ALL, PixelBins, Regions, neighbours
from osler.imaging.resize import resize
from osler.imaging.selective_search import (
    FAST,
    QUALITY,
    SINGLE,
    Strategy,
    in_space,
    merge_regions,
    selective_search,
)
from osler.ops.coverage import recall_at


def photograph(side=96):
    return resize(skimage.data.astronaut(), (side, side))


def scene(seed, side=180):
    """Six objects on a noisy slope of light with streaks across; and the objects' boxes.

    Each object is of two colours, so that no first region is one.
    """
    rng = np.random.default_rng(seed)
    light = np.linspace(70, 150, side)[None, :, None] + 12 * rng.standard_normal((side, side, 3))
    image, boxes = np.clip(light, 0, 255).astype(np.uint8), []
    for _ in range(8):
        ends = rng.integers(0, side, 4).tolist()
        cv2.line(image, ends[:2], ends[2:], rng.integers(60, 170, 3).tolist(), 4)
    for cell in rng.permutation(9)[:6].tolist():
        axes = rng.integers(8, 22, 2).tolist()
        middle = [side // 3 * place + int(rng.integers(22, side // 3 - 22)) for place in divmod(cell, 3)]
        colour = rng.integers(0, 256, 3)
        inner = np.clip(colour + rng.integers(-80, 80, 3), 0, 255)
        cv2.ellipse(image, middle, axes, 0, 0, 360, colour.tolist(), -1)
        cv2.ellipse(image, middle, [axes[0] // 2, axes[1] // 2], 0, 0, 360, inner.tolist(), -1)
        boxes.append([middle[0] - axes[0], middle[1] - axes[1], middle[0] + axes[0] + 1, middle[1] + axes[1] + 1])
    return image, torch.tensor(boxes, dtype=torch.float32)


def random_boxes(count, side, seed):
    corners = np.sort(np.random.default_rng(seed).random((count, 2, 2)) * side, axis=1)
    return torch.from_numpy(corners.reshape(count, 4).astype(np.float32))


@pytest.mark.craft("DE05")
def test_recall_rises_with_the_number_of_proposals_and_lies_above_random_boxes():
    counts = [5, 20, 80, 400]
    found, by_chance = np.zeros(4), np.zeros(4)
    for seed in range(4):
        image, boxes = scene(seed)
        found += np.array(recall_at(torch.from_numpy(selective_search(image)), boxes, counts)) / 4
        by_chance += np.array(recall_at(random_boxes(400, 180, seed), boxes, counts)) / 4
    assert found[0] < found[1] < found[2]
    assert found[3] >= found[2]
    assert found[3] > 0.85
    assert (found[1:] > by_chance[1:]).all()
    assert found[2] > 2 * by_chance[2]


@pytest.mark.craft("DE07")
@pytest.mark.parametrize("measures", [ALL, ("texture", "size", "fill"), ("fill",), ("size",)])
def test_n_regions_give_2n_minus_1_and_the_last_is_the_picture(measures):
    image = photograph()
    labels = segment_graph(image, 50, least=20)
    n = int(labels.max()) + 1
    regions = merge_regions(labels, PixelBins(image), measures)
    assert n > 10
    assert regions.count == len(regions.boxes) == 2 * n - 1
    assert regions.boxes[-1].tolist() == [0, 0, 96, 96]
    assert regions.pixels[-1] == 96 * 96
    assert len(np.unique(regions.pixels[:n])) > 1


@pytest.mark.craft("DE07")
def test_the_most_alike_neighbours_are_merged_first():
    """Four stripes of grey: the two dark ones, then the two light ones, then all."""
    image = np.zeros((40, 40, 3), np.uint8)
    for k, level in enumerate((0, 6, 120, 126)):
        image[:, 10 * k : 10 * k + 10] = level
    labels = np.arange(40)[None].repeat(40, axis=0) // 10
    regions = merge_regions(labels, PixelBins(image), ("colour", "size"))
    assert regions.boxes[4:].tolist() == [[0, 0, 20, 40], [20, 0, 40, 40], [0, 0, 40, 40]]


@pytest.mark.craft("DE08")
def test_colour_likeness_is_the_intersection_of_histograms():
    image = np.zeros((8, 40, 3), np.uint8)
    image[:, 10:20] = 200
    image[:4, 20:30] = 200  # half of it like the one, half like the other
    image[:, 30:] = (200, 0, 0)
    labels = np.arange(40)[None].repeat(8, axis=0) // 10
    regions = Regions(labels, PixelBins(image))
    others = np.arange(4)
    assert regions.colour_likeness(0, others).tolist() == pytest.approx([1, 0, 0.5, 2 / 3])
    photo = Regions(segment_graph(photograph(), 50), PixelBins(photograph()))
    for i in range(photo.count):
        likeness = photo.colour_likeness(i, np.arange(photo.count))
        assert likeness.min() >= 0
        assert likeness.max() <= 1 + 1e-5
        assert likeness[i] == pytest.approx(1, abs=1e-5)


@pytest.mark.craft("DE08")
def test_colour_has_25_bins_a_channel():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    counts = Regions(np.zeros((16, 16), int), PixelBins(ramp)).colour[0].reshape(3, 25)
    assert (counts.sum(1) == 256).all()
    assert counts.min() >= 10
    assert counts.max() <= 11


@pytest.mark.craft("DE09")
def test_texture_tells_stripes_from_flat():
    """Two areas of stripes, one turned by 90 degrees, one flat."""
    image = np.full((40, 160, 3), 127, np.uint8)
    rows, columns = np.mgrid[:40, :160]
    upright = np.where(columns % 8 < 4, 60, 190).astype(np.uint8)
    lying = np.where(rows % 8 < 4, 60, 190).astype(np.uint8)
    image[:, :80] = upright[:, :80, None]
    image[:, 80:120] = lying[:, 80:120, None]
    regions = Regions(columns // 40, PixelBins(image))
    itself, stripes, turned, flat = regions.texture_likeness(0, np.arange(4)).tolist()
    assert itself == pytest.approx(1, abs=1e-5)
    assert stripes > 0.9
    assert stripes > turned + 0.1
    assert stripes > flat + 0.1
    assert regions.texture.shape[1] == 3 * 8 * 10


@pytest.mark.craft("DE09")
def test_the_eight_orientations_follow_the_slope():
    """On a ramp that grows to the right, the slope to the right is steepest; what points away counts as none."""
    ramp = np.arange(0, 240, 4, dtype=np.uint8)[None, :, None].repeat(60, axis=0)
    bins = PixelBins(ramp).texture.reshape(60, 60, 8)[30, 30] - 10 * np.arange(8)
    assert bins.tolist() == pytest.approx([9, 7, 0, 0, 0, 0, 0, 7], abs=1)
    assert bins[0] > bins[1] == bins[7] > bins[3] == bins[5] == bins[4] == 0


def eight(colours):
    """Eight equal areas side by side and their merging, as sets of letters."""
    image = np.concatenate([np.tile(c, (10, 1, 1)).astype(np.uint8) for c in colours], axis=1)
    width = image.shape[1] // 8
    labels = np.arange(image.shape[1])[None].repeat(10, axis=0) // width

    def unions(*measures):
        boxes = merge_regions(labels, PixelBins(image), measures).boxes[8:] // width
        return ["abcdefgh"[left:right] for left, _, right, _ in boxes.tolist()]

    return unions


@pytest.mark.craft("DE10")
def test_size_keeps_the_scale_even_and_colour_alone_need_not():
    """Each area holds one tenth less of the common colour than the one before, and else a colour of its own."""
    colours = []
    for k in range(8):
        row = np.zeros((1, 20, 3))
        row[:, : 2 * k] = 30 * k + 12
        colours.append(row)
    unions = eight(colours)
    assert unions("size") == ["ab", "cd", "ef", "gh", "abcd", "efgh", "abcdefgh"]
    assert unions("colour") == ["ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"]


@pytest.mark.craft("DE11")
def test_fill_is_1_less_the_free_share_of_the_common_box():
    labels = np.zeros((10, 10), int)
    labels[:4, :4], labels[4:8, 4:8], labels[:4, 4:8] = 1, 2, 3
    regions = Regions(labels, PixelBins(np.zeros((10, 10, 3), np.uint8)))
    # two blocks of 16 across from each other in a box of 64; side by side they fill theirs
    assert regions.fill_likeness(1, np.array([2, 3])).tolist() == pytest.approx([1 - 32 / 100, 1])
    assert regions.size_likeness(1, np.array([2])).tolist() == pytest.approx([1 - 32 / 100])


@pytest.mark.craft("DE12")
def test_features_of_unions_are_exactly_those_counted_again():
    image = photograph()
    bins = PixelBins(image)
    labels = segment_graph(image, 50, least=20)
    regions = Regions(labels, bins)
    merged = labels.copy()
    for i, j in ((0, 1), (2, 3)):
        new = regions.merge(i, j)
        merged[np.isin(merged, (i, j))] = new
    last = regions.merge(regions.count - 2, regions.count - 1)
    merged[merged >= last - 2] = last
    again = Regions(np.where(merged == last, 0, 1 + (merged > 5)), bins)
    assert np.array_equal(regions.colour[last], again.colour[0])
    assert np.array_equal(regions.texture[last], again.texture[0])
    assert np.array_equal(regions.boxes[last], again.boxes[0])
    assert regions.pixels[last] == again.pixels[0]
    # the published form: sizes weigh the normalised histograms
    shares = [regions.colour[r] / regions.colour[r].sum() for r in (last - 2, last - 1, last)]
    weights = regions.pixels[[last - 2, last - 1]] / regions.pixels[last]
    assert np.allclose(weights[0] * shares[0] + weights[1] * shares[1], shares[2], atol=1e-12)
    assert np.array_equal(regions.colour_likeness(last, np.array([4])), np.float32([_intersection(regions, last, 4)]))


def _intersection(regions, i, j):
    a, b = (np.float32(regions.colour[r] / (3 * regions.pixels[r])) for r in (i, j))
    return np.minimum(a, b).sum()


def test_neighbours_share_a_side():
    labels = np.array([[0, 0, 1], [2, 2, 1], [2, 3, 3]])
    assert neighbours(labels).tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert neighbours(np.zeros((3, 3), int)).shape == (0, 2)


def test_proposals_lie_in_the_picture_differ_and_follow_the_seed():
    image = resize(skimage.data.coffee(), (90, 140))
    boxes = selective_search(image, seed=1)
    assert boxes.dtype == np.float32
    assert len(np.unique(boxes, axis=0)) == len(boxes) > 100
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= (140, 90)).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert [0, 0, 140, 90] in boxes[:20].tolist()  # the top of a hierarchy comes early
    assert np.array_equal(boxes, selective_search(image, seed=1))
    other = selective_search(image, seed=2)
    assert not np.array_equal(boxes, other)
    assert set(map(tuple, boxes.tolist())) == set(map(tuple, other.tolist()))
    sides = selective_search(image, smallest=20)
    assert 0 < len(sides) < len(boxes)
    assert (sides[:, 2:] - sides[:, :2]).min() >= 20


def test_large_regions_come_early():
    boxes = selective_search(photograph(128))
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    third = len(areas) // 3
    assert np.median(areas[:third]) > 2 * np.median(areas[-third:])


def test_the_three_settings_and_every_colour_space():
    assert (len(SINGLE), len(FAST), len(QUALITY)) == (1, 8, 80)
    image = photograph(48)
    channels = {space: in_space(image, space).shape[2] for space in ("rgb", "hsv", "lab", "rgi", "hue", "grey")}
    assert channels == {"rgb": 3, "hsv": 3, "lab": 3, "rgi": 3, "hue": 1, "grey": 1}
    shares = in_space(np.array([[[200, 100, 100], [100, 50, 50]]], np.uint8), "rgi")
    assert shares[0, 0, :2].tolist() == shares[0, 1, :2].tolist() == [128, 64]  # half as much light, the same shares
    every = selective_search(image, [Strategy(space, 20) for space in channels])
    assert len(every) > len(selective_search(image, [Strategy("rgb", 20)]))


def test_pictures_that_are_grey_large_tiny_or_of_one_colour():
    image = photograph(64)
    assert len(selective_search(image[:, :, :1], SINGLE)) > 1
    reduced = selective_search(image, SINGLE, longest=32)
    assert reduced[:, 2:].max() == 64  # boxes of the picture given
    assert selective_search(np.full((30, 20, 3), 9, np.uint8)).tolist() == [[0, 0, 20, 30]]
    assert selective_search(np.zeros((1, 1, 3), np.uint8)).tolist() == [[0, 0, 1, 1]]
