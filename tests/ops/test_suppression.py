"""What NMS keeps is what the plain loop keeps, however the boxes lie and however many are settled at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import osler.ops.suppression as suppression
from osler.ops import batched_nms, iou_guided_nms, nms
from osler.ops.box_overlap import iou


def plain_loop(boxes, scores, threshold, groups=None):
    """Greedy NMS as it is defined, in the precision of the boxes."""
    boxes, scores = boxes.numpy(), scores.numpy()
    groups = np.zeros(len(boxes)) if groups is None else groups.numpy()
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1) * (y2 - y1)
    order, kept = np.argsort(-scores, kind="stable"), []
    while order.size:
        i, rest = order[0], order[1:]
        kept.append(int(i))
        shared = np.maximum(0, np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest])) * np.maximum(
            0, np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest])
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            over = shared / (area[i] + area[rest] - shared) > threshold
        order = rest[~(over & (groups[rest] == groups[i]))]
    return kept


def scattered(number, largest, seed=0):
    generator = torch.Generator().manual_seed(seed)
    size = torch.rand(number, 2, generator=generator) * largest + 4
    corner = torch.rand(number, 2, generator=generator) * (800 - size) - 300  # of either sign
    return torch.cat([corner, corner + size], 1), torch.rand(number, generator=generator)


@pytest.fixture
def by_pairs_only(monkeypatch):
    """Without the plain loop at the start, and in rounds of few boxes."""
    monkeypatch.setattr(
        suppression, "greedy_start", lambda boxes, *_: (np.zeros(len(boxes), dtype=bool), np.arange(len(boxes)))
    )
    monkeypatch.setattr(suppression, "FIRST", 2)
    monkeypatch.setattr(suppression, "PAIRS_AT_ONCE", 30)


@pytest.mark.craft("DE25")
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_the_same_boxes_as_torchvision(shared, threshold):
    reference = np.load(shared / "reference" / "ops.npz")
    boxes, scores = torch.from_numpy(reference["boxes"]), torch.from_numpy(reference["scores"])
    assert nms(boxes, scores, threshold).tolist() == reference[f"nms_keep_{threshold}"].tolist()


def test_the_same_boxes_of_classes_as_torchvision(shared):
    reference = np.load(shared / "reference" / "ops.npz")
    kept = batched_nms(*(torch.from_numpy(reference[k]) for k in ("boxes", "scores", "labels")), 0.5)
    assert kept.tolist() == reference["batched_nms_keep_0.5"].tolist()


@pytest.mark.craft("DE25")
def test_the_worked_example_of_six_boxes():
    left, right = torch.tensor([0.0, 0, 10, 10]), torch.tensor([100.0, 0, 110, 10])
    a, c, e = right + 1, right - 1, right
    b, d, f = left + 1, left - 1, left
    scores = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.8, 0.9])  # A to F
    assert nms(torch.stack([a, b, c, d, e, f]), scores, 0.5).tolist() == [5, 4]  # F removes B and D, E removes A and C


coordinate = st.integers(-6, 8)
box = st.tuples(coordinate, coordinate, coordinate, coordinate)
scenes = st.lists(st.tuples(box, st.integers(0, 5), st.integers(-1, 1)), max_size=25)


@pytest.mark.craft("DE25")
@settings(max_examples=60)
@given(scenes, st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.6, 0.7, 1.0]))
def test_small_scenes_with_ties_empty_and_inverted_boxes(scene, threshold):
    boxes = torch.tensor([s[0] for s in scene], dtype=torch.float32).reshape(-1, 4)
    scores, groups = torch.tensor([float(s[1]) for s in scene]), torch.tensor([s[2] for s in scene], dtype=torch.int64)
    assert nms(boxes, scores, threshold).tolist() == plain_loop(boxes, scores, threshold)
    assert batched_nms(boxes, scores, groups, threshold).tolist() == plain_loop(boxes, scores, threshold, groups)


@pytest.mark.craft("DE25")
@pytest.mark.usefixtures("by_pairs_only")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_scenes_by_pairs(dtype):
    generator = torch.Generator().manual_seed(3)
    for scene in range(25):
        corner = torch.randint(-9, 9, (30, 2), generator=generator)
        boxes = torch.cat([corner, corner + torch.randint(-1, 12, (30, 2), generator=generator)], 1).to(dtype)
        scores, groups = torch.randint(0, 9, (2, 30), generator=generator)
        for threshold in (0.0, 0.1, 0.5, 0.7, 1.0):
            given = (boxes, scores.to(dtype), threshold)
            assert nms(*given).tolist() == plain_loop(*given), scene
            kept = batched_nms(boxes, scores.to(dtype), groups // 4, threshold)
            assert kept.tolist() == plain_loop(*given, groups // 4), scene


@pytest.mark.parametrize(("number", "largest"), [(1500, 40), (1500, 300), (700, 790)])
@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
def test_many_scattered_boxes(number, largest, threshold):
    boxes, scores = scattered(number, largest)
    assert nms(boxes, scores, threshold).tolist() == plain_loop(boxes, scores, threshold)
    groups = torch.arange(number) % 7 * 1000 - 3
    assert batched_nms(boxes, scores, groups, threshold).tolist() == plain_loop(boxes, scores, threshold, groups)


def test_boxes_crowded_around_a_few_objects():
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(12, 2, generator=generator)[torch.arange(2000) % 12] * 700
    corner = centre + torch.randn(2000, 2, generator=generator) * 8
    boxes, scores = torch.cat([corner, corner + 60], 1), torch.rand(2000, generator=generator)
    for threshold in (0.3, 0.7):
        assert nms(boxes, scores, threshold).tolist() == plain_loop(boxes, scores, threshold)


@pytest.mark.usefixtures("by_pairs_only")
def test_a_chain_in_which_each_removes_only_the_next():
    left = torch.arange(40) * 4.0
    boxes = torch.stack([left, left * 0, left + 10, left * 0 + 10], 1)
    assert nms(boxes, torch.arange(40, 0, -1.0), 0.4).tolist() == list(range(0, 40, 2))


def test_one_picture_far_away_from_the_others():
    boxes, scores = scattered(300, 100)
    boxes[::7] += 1e6
    assert nms(boxes, scores, 0.4).tolist() == plain_loop(boxes, scores, 0.4)


@pytest.mark.craft("DE25")
def test_at_exactly_the_threshold_a_box_stays():
    tenth = torch.tensor([[0.0, 0, 10, 1], [0, 0, 1, 1]])  # and float32's 0.1 is above 0.1
    assert nms(tenth, torch.tensor([0.9, 0.8]), 0.1).tolist() == [0, 1]
    boxes = torch.tensor([[0.0, 0, 2, 1], [0, 0, 1, 1]])  # IoU 0.5
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0, 1]
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.499).tolist() == [0]


def test_no_boxes_and_boxes_that_are_none():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).shape == (0,)
    assert batched_nms(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5).shape == (0,)
    strange = torch.tensor([[0.0, 0, 9, 9], [torch.nan, 0, 9, 9], [0, 0, torch.inf, 9], [5, 5, 5, 5], [0, 0, 9, 9]])
    assert nms(strange, torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5]), 0.5).tolist() == [0, 1, 2, 3]
    huge_and_tiny = torch.tensor([[0, 0, 1e30, 1e30], [0, 0, 1e-30, 1e-30], [0, 0, 2e30, 1e30], [0, 0, 1, 1]])
    assert len(nms(huge_and_tiny, torch.arange(4.0), 0.5)) == 4


def test_whole_numbers_and_half_precision_are_boxes_too():
    boxes, scores = torch.tensor([[0, 0, 300, 300], [0, 0, 300, 290], [400, 0, 500, 90]]), torch.tensor([1.0, 3, 2])
    for kind in (torch.int64, torch.float16, torch.bfloat16):
        assert nms(boxes.to(kind), scores, 0.5).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("boxes", "scores", "threshold", "said"),
    [
        (torch.zeros(2, 5), torch.zeros(2), 0.5, r"\[number, 4\]"),
        (torch.zeros(2, 4), torch.zeros(3), 0.5, "one score"),
        (torch.zeros(2, 4), torch.zeros(2), 1.5, "from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused(boxes, scores, threshold, said):
    with pytest.raises(ValueError, match=said):
        nms(boxes, scores, threshold)
    if "score" in said:
        with pytest.raises(ValueError, match="one group"):
            batched_nms(boxes, torch.zeros(2), torch.zeros(5, dtype=torch.int64), threshold)


@pytest.mark.craft("DE33")
def test_iou_guided_nms_keeps_the_best_localised_box_with_the_best_score():
    true = torch.tensor([10.0, 10, 50, 50])
    boxes = torch.stack([true + 6, true, true + 3, true + 100])
    scores, localization = torch.tensor([0.9, 0.5, 0.6, 0.3]), iou(boxes, true)
    kept, taken = iou_guided_nms(boxes, scores, localization, 0.5)
    assert kept.tolist() == [1, 3]
    assert taken.tolist() == pytest.approx([0.9, 0.3])
    assert nms(boxes, scores, 0.5).tolist() == [0, 3]  # the usual one keeps the surest, which sits worse
    apart, alone = iou_guided_nms(boxes, scores, localization, 0.5, torch.tensor([0, 1, 1, 1]))
    assert dict(zip(apart.tolist(), alone.tolist(), strict=True)) == pytest.approx({0: 0.9, 1: 0.6, 3: 0.3})
    assert [len(each) for each in iou_guided_nms(boxes[:0], scores[:0], scores[:0], 0.5)] == [0, 0]


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_iou_guided_nms_is_its_algorithm(seed):
    boxes, scores = scattered(60, 700, seed)
    localization = torch.rand(60, generator=torch.Generator().manual_seed(seed + 1))
    left, expected = localization.argsort(descending=True).tolist(), []
    while left:
        best = left[0]
        cluster = [i for i in left if i == best or float(iou(boxes[best], boxes[i])) > 0.4]
        expected.append((best, max(float(scores[i]) for i in cluster)))
        left = [i for i in left if i not in cluster]
    kept, taken = iou_guided_nms(boxes, scores, localization, 0.4)
    assert list(zip(kept.tolist(), taken.tolist(), strict=True)) == expected
