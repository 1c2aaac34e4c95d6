"""The matchings of one-stage detectors: cells, adaptive thresholds, centres, predictions."""

import math

import pytest
import torch

from osler.ops.adaptive_matching import atss_match
from osler.ops.anchors import base_anchors, spread_anchors
from osler.ops.cell_anchors import CellAnchors, cell_points
from osler.ops.cell_matching import best_anchor_match, cell_match, responsible_box
from osler.ops.center_matching import FCOS_RANGES, center_match, centerness
from osler.ops.dynamic_matching import simota_match, task_aligned_match
from osler.ops.matching import IGNORED, NEGATIVE
from osler.ops.overlap_matrices import box_iou

NONE = torch.empty(0, 4)


def around(points, half):
    return torch.cat((points - half, points + half), dim=1)


def boxes_of(count, seed, extent=128.0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * extent * 0.6
    return torch.cat((corner, corner + 8 + torch.rand(count, 2, generator=generator) * extent * 0.4), dim=1)


@pytest.mark.craft("DE30")
def test_the_cell_with_the_middle_answers():
    boxes = torch.tensor([[0.0, 0, 20, 20], [0, 0, 8, 8], [60, 30, 80, 50], [12, 12, 28, 28], [78, 58, 82, 62]])
    matches = cell_match(boxes, (3, 4), (60, 80)).reshape(3, 4)
    expected = torch.full((3, 4), NEGATIVE)
    # middles: (10, 10), (4, 4), (70, 40), (20, 20), (80, 60); cells are 20 x 20
    expected[0, 0], expected[2, 3], expected[1, 1] = 0, 2, 3  # the first listed wins; 20 belongs to the next cell
    assert torch.equal(matches, expected)
    assert cell_match(boxes[4:], (3, 4), (60, 80)).reshape(3, 4)[2, 3] == 0  # on the picture's edge: the last cell


@pytest.mark.craft("DE30")
def test_cells_without_objects_and_with_flagged_ones():
    assert cell_match(NONE, (2, 2), (8, 8)).tolist() == [NEGATIVE] * 4
    boxes = torch.tensor([[0.0, 0, 8, 4], [0, 0, 2, 2]])
    flagged = torch.tensor([True, False])
    assert cell_match(boxes, (2, 2), (8, 8), flagged).tolist() == [1, IGNORED, NEGATIVE, NEGATIVE]


@pytest.mark.craft("DE30")
def test_the_better_of_a_cells_boxes_is_responsible():
    truth = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    predicted = torch.tensor(
        [
            [[0.0, 0, 5, 10], [0, 0, 10, 9]],  # the second overlaps more
            [[50, 50, 60, 60], [35, 35, 45, 45]],  # neither overlaps: the second is nearer
            [[0, 0, 1, 1], [0, 0, 1, 1]],  # no object
        ]
    )
    chosen = responsible_box(predicted, truth, torch.tensor([0, 1, NEGATIVE]))
    assert chosen.tolist() == [[False, True], [False, True], [False, False]]


@pytest.mark.craft("DE30")
def test_best_anchor_by_shape_in_the_cell_of_the_middle():
    layout = CellAnchors((((8, 8), (8, 16)), ((32, 32), (64, 32))), (8, 16))
    grids = [(8, 8), (4, 4)]
    boxes = torch.tensor([[8.0, 8, 16, 24], [0, 16, 60, 48], [24, 0, 33, 9], [24, 0, 32, 8]])
    matches = best_anchor_match(boxes, layout, grids, ignore=1.0)
    positive = {int(i): int(matches[i]) for i in (matches >= 0).nonzero()}
    # the middle 12, 16 is row 2, column 1 of 8 x 8; the middle 30, 32 row 2, column 1 of 4 x 4, after 128 anchors
    expected = {(2 * 8 + 1) * 2 + 1: 0, 128 + (2 * 4 + 1) * 2 + 1: 1, (0 * 8 + 3) * 2: 3}
    assert positive == expected  # of the two that want the same cell and shape, the better fit
    assert (matches[matches < 0] == NEGATIVE).all()


@pytest.mark.craft("DE30")
def test_anchors_or_predictions_that_overlap_much_are_ignored():
    layout = CellAnchors((((8, 8), (8, 12)),), (8,))
    box = torch.tensor([[8.0, 8, 16, 16]])
    matches = best_anchor_match(box, layout, [(3, 3)])
    assert matches.reshape(9, 2)[4].tolist() == [0, IGNORED]  # 8 x 12 overlaps by 2/3
    assert int((matches == NEGATIVE).sum()) == 16
    predicted = torch.cat(layout([(3, 3)]))
    predicted[9] = 0
    predicted[0] = box[0]
    by_predicted = best_anchor_match(box, layout, [(3, 3)], predicted=predicted)
    assert by_predicted[8:10].tolist() == [0, NEGATIVE]
    assert by_predicted[0] == IGNORED
    assert best_anchor_match(NONE, layout, [(3, 3)]).tolist() == [NEGATIVE] * 18
    flagged = best_anchor_match(box, layout, [(3, 3)], flagged=torch.tensor([True]))
    assert flagged.reshape(9, 2)[4].tolist() == [IGNORED, IGNORED]


def atss_by_loop(anchors, per_level, boxes, k):
    middles, overlaps = (anchors[:, :2] + anchors[:, 2:]) / 2, box_iou(boxes, anchors)
    best = torch.zeros(len(anchors))
    matches = [NEGATIVE] * len(anchors)
    for g, box in enumerate(boxes):
        chosen, start = [], 0
        for count in per_level:
            distance = (middles[start : start + count] - (box[:2] + box[2:]) / 2).norm(dim=1)
            chosen += [start + int(i) for i in distance.argsort(stable=True)[:k]]
            start += count
        among = overlaps[g, chosen]
        threshold = among.mean() + among.std()
        for i in chosen:
            x, y = middles[i].tolist()
            inside = box[0] < x < box[2] and box[1] < y < box[3]
            if overlaps[g, i] >= threshold and inside and overlaps[g, i] > best[i]:
                best[i], matches[i] = overlaps[g, i], g
    return matches


def test_atss_is_algorithm_1():
    levels = [
        spread_anchors(base_anchors([3 * stride], [1]), (128 // stride,) * 2, (stride, stride))
        for stride in (8, 16, 64)
    ]
    anchors, per_level = torch.cat(levels), [len(level) for level in levels]
    boxes = boxes_of(9, 0) + 0.01 * torch.rand(9, 1, generator=torch.Generator().manual_seed(1))  # no equal distances
    matches = atss_match(anchors, per_level, boxes)
    assert matches.tolist() == atss_by_loop(anchors, per_level, boxes, 9)  # the last level has 4 anchors only
    assert len(set(matches.tolist()) - {NEGATIVE}) > 5
    assert atss_match(anchors, per_level, NONE).tolist() == [NEGATIVE] * len(anchors)
    flagged = torch.zeros(9, dtype=torch.bool)
    largest = int((boxes[:, 2:] - boxes[:, :2]).prod(1).argmax())
    flagged[largest] = True
    without = atss_match(anchors, per_level, boxes, flagged=flagged)
    assert not (without == largest).any()
    assert (without == IGNORED).any()
    with pytest.raises(ValueError, match="given"):
        atss_match(anchors, per_level[:2], boxes)


def test_one_anchor_is_its_own_threshold():
    box = torch.tensor([[0.0, 0, 10, 10]])
    assert atss_match(torch.tensor([[0.0, 0, 10, 12]]), [1], box).tolist() == [0]


def test_a_point_answers_for_the_smallest_object_of_its_levels_range():
    points = [cell_points((16, 16), 8), cell_points((8, 8), 16)]
    boxes = torch.tensor([[0.0, 0, 128, 128], [8, 8, 40, 40], [0, 0, 60, 60]])
    ranges = ((0, 64), (64, math.inf))
    matches = center_match(points, [8, 16], boxes, ranges=ranges, radius=None)
    first, second = matches[:256].reshape(16, 16), matches[256:].reshape(8, 8)
    assert (first[1:5, 1:5] == 1).all()  # inside the second and the third: the smaller
    assert first[0, 0] == 2
    assert first[7, 7] == NEGATIVE  # the large object's edges are farther than 64 from everywhere but its middle
    assert (second == 0).all()
    exact = center_match([torch.tensor([[64.0, 64.0]])] * 2, [8, 16], boxes[:1], ranges=ranges, radius=None)
    assert exact.tolist() == [0, 0]  # 64 is within both ranges
    on_edge = center_match([torch.tensor([[8.0, 20.0]])], [8], boxes[1:2], ranges=((0, math.inf),), radius=None)
    assert on_edge.tolist() == [NEGATIVE]


def test_centre_sampling_flags_and_no_objects():
    points = [cell_points((8, 8), 8)]
    box = torch.tensor([[0.0, 0, 64, 64]])
    anywhere = ((0.0, math.inf),)
    matches = center_match(points, [8], box, ranges=anywhere).reshape(8, 8)
    expected = torch.full((8, 8), NEGATIVE)
    expected[3:5, 3:5] = 0  # middles at 28 and 36 are 4 from 32; those at 20 and 44 are 12, not below 1.5 * 8
    assert torch.equal(matches, expected)
    crowd = center_match(points, [8], box / 2, ranges=anywhere, flagged=torch.tensor([True])).reshape(8, 8)
    assert (crowd[:4, :4] == IGNORED).all()
    assert int((crowd == NEGATIVE).sum()) == 48
    assert center_match(points, [8], NONE, ranges=anywhere).tolist() == [NEGATIVE] * 64
    with pytest.raises(ValueError, match="1 levels of points"):
        center_match(points, [8], box, ranges=FCOS_RANGES)


def test_centerness():
    box = torch.tensor([[0.0, 0, 10, 20]]).expand(4, 4)
    points = torch.tensor([[5.0, 10], [2, 10], [0, 10], [12, 10]])
    assert centerness(points, box).tolist() == pytest.approx([1, math.sqrt(2 / 8), 0, 0])


def predictions(seed=0, grid=16):
    points = cell_points((grid, grid), 8)
    generator = torch.Generator().manual_seed(seed)
    predicted = around(points, 8 + 24 * torch.rand(len(points), 2, generator=generator))
    return points, predicted, torch.rand(len(points), 3, generator=generator)


def simota_by_loop(points, stride, predicted, scores, boxes, labels):
    costs, counts = [], []
    for box, label in zip(boxes, labels.tolist(), strict=True):
        middle = (box[:2] + box[2:]) / 2
        row, overlaps = [], []
        for i, point in enumerate(points):
            inside = bool(((point > box[:2]) & (point < box[2:])).all())
            central = float((point - middle).abs().max()) < 2.5 * stride
            candidate = any(
                bool(((point > b[:2]) & (point < b[2:])).all())
                or float((point - (b[:2] + b[2:]) / 2).abs().max()) < 2.5 * stride
                for b in boxes
            )
            overlap = float(box_iou(box[None], predicted[i : i + 1]))
            truth = torch.nn.functional.one_hot(torch.tensor(label), 3).float()
            loss = float(torch.nn.functional.binary_cross_entropy(scores[i], truth, reduction="sum"))
            cost = loss - 3 * math.log(overlap + 1e-8) + 1e5 * (not (inside and central))
            row.append(cost if candidate else math.inf)
            overlaps.append(overlap if candidate else 0.0)
        costs.append(row)
        counts.append(max(1, int(sum(sorted(overlaps)[-10:]))))
    matches = [NEGATIVE] * len(points)
    best = [math.inf] * len(points)
    for g, row in enumerate(costs):
        for i in sorted(range(len(row)), key=row.__getitem__)[: counts[g]]:
            if row[i] < best[i]:
                best[i], matches[i] = row[i], g
    return matches


def test_simota_is_what_its_definition_gives():
    points, predicted, scores = predictions(grid=10)
    boxes, labels = boxes_of(4, 5, 80), torch.tensor([0, 2, 1, 2])
    strides = torch.full((len(points),), 8.0)
    matches = simota_match(points, strides, predicted, scores, boxes, labels)
    assert matches.tolist() == simota_by_loop(points, 8.0, predicted, scores, boxes, labels)
    assert int((matches >= 0).sum()) > 8  # more than one an object


def test_better_predictions_bring_an_object_more_points():
    points, _, scores = predictions()
    box, labels = torch.tensor([[30.0, 30, 90, 90]]), torch.tensor([1])
    strides = torch.full((len(points),), 8.0)
    counts = []
    for share in (0.0, 0.5, 1.0):
        predicted = (1 - share) * around(points, 4.0) + share * box
        counts.append(int((simota_match(points, strides, predicted, scores, box, labels) >= 0).sum()))
    assert counts[0] == 1
    assert counts[0] < counts[1] < counts[2] == 10


def test_task_alignment_takes_score_and_fit_together():
    points = torch.tensor([[5.0, 5], [6, 6], [7, 7], [20, 20]])
    box, labels = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([1])
    predicted = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 5], [0, 0, 10, 10]])
    scores = torch.tensor([[0.9, 0.2], [0.0, 0.8], [0.0, 1.0], [0.0, 1.0]])
    found = task_aligned_match(points, predicted, scores, box, labels, candidates=2)
    assert found.matches.tolist() == [0, 0, NEGATIVE, NEGATIVE]  # 0.2, 0.425, 0.0156; the last point lies outside
    t = torch.tensor([0.2, 0.8 * 0.9**6])
    assert torch.allclose(found.quality[:2], t / t.max(), atol=1e-5)  # the greatest IoU of the two is 1
    assert found.quality[2:].tolist() == [0, 0]


def test_task_alignment_of_many_objects():
    points, predicted, scores = predictions(3)
    boxes, labels = boxes_of(5, 6), torch.tensor([0, 1, 2, 0, 1])
    found = task_aligned_match(points, predicted, scores, boxes, labels, candidates=4)
    overlaps = box_iou(boxes, predicted)
    aligned = scores[:, labels].T * overlaps**6
    for g, box in enumerate(boxes):
        mine = (found.matches == g).nonzero().flatten()
        assert 0 < len(mine) <= 4
        assert ((points[mine] > box[:2]) & (points[mine] < box[2:])).all()
        assert float(found.quality[mine].max()) == pytest.approx(float(overlaps[g, mine].max()), abs=1e-6)
        ratio = found.quality[mine] / aligned[g, mine]
        assert torch.allclose(ratio, ratio[:1].expand_as(ratio), rtol=1e-4)


def test_an_object_that_nothing_overlaps_yet_still_has_points():
    points = cell_points((4, 4), 8)
    predicted, scores = around(points + 500, 4.0), torch.rand(16, 2)
    box, labels = torch.tensor([[0.0, 0, 16, 16]]), torch.tensor([0])
    found = task_aligned_match(points, predicted, scores, box, labels, candidates=4)
    assert (found.matches >= 0).nonzero().flatten().tolist() == [0, 1, 4, 5]
    assert found.quality.tolist() == [0] * 16
    strides = torch.full((16,), 8.0)
    assert (simota_match(points, strides, predicted, scores, box, labels) >= 0).any()


@pytest.mark.parametrize("objects", [0, 1])
def test_predictions_without_objects_or_with_flagged_ones(objects):
    points, predicted, scores = predictions()
    boxes, labels = torch.tensor([[0.0, 0, 128, 128]])[:objects], torch.tensor([1])[:objects]
    flagged = torch.ones(objects, dtype=torch.bool)
    strides = torch.full((len(points),), 8.0)
    one = simota_match(points, strides, predicted, scores, boxes, labels, flagged=flagged)
    other = task_aligned_match(points, predicted, scores, boxes, labels, flagged=flagged)
    for matches in (one, other.matches):
        assert not (matches >= 0).any()
        assert bool((matches == IGNORED).any()) == bool(objects)
    assert not other.quality.any()


def test_points_in_an_ignored_object_learn_nothing_however_large_their_boxes_are():
    points = cell_points((4, 4), 8)
    box, labels, flagged = torch.tensor([[0.0, 0, 16, 16]]), torch.tensor([0]), torch.tensor([True])
    strides, scores, huge = torch.full((16,), 8.0), torch.rand(16, 2), around(points, 100.0)
    for matches in (
        simota_match(points, strides, huge, scores, box, labels, flagged=flagged),
        task_aligned_match(points, huge, scores, box, labels, flagged=flagged).matches,
    ):
        assert (matches == IGNORED).nonzero().flatten().tolist() == [0, 1, 4, 5]


def test_nothing_flows_back_through_predictions():
    points, predicted, scores = predictions()
    predicted.requires_grad_()
    found = task_aligned_match(points, predicted, scores.requires_grad_(), boxes_of(2, 0), torch.tensor([0, 1]))
    assert not found.quality.requires_grad
