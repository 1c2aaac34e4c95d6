import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.ops.bipartite_matching import best_pairs, ssd_match
from osler.ops.matching import (
    FAST_RCNN,
    HEAD,
    IGNORED,
    NEGATIVE,
    RPN,
    IouRule,
    claimed,
    match_overlaps,
    max_iou_match,
    mostly_inside,
)
from osler.ops.overlap_matrices import box_iou


def random_boxes(count, seed, extent=100.0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * extent
    return torch.cat((corner, corner + 5 + torch.rand(count, 2, generator=generator) * 40), dim=1)


@pytest.mark.craft("DE03")
@pytest.mark.parametrize("unit", [1.0, 0.001, 1000.0])
def test_an_overlap_of_exactly_one_half_is_positive(unit):
    box = torch.tensor([[0.0, 0, 8, 8]]) * unit
    half = torch.tensor([[0.0, 0, 8, 4], [0, 0, 8, 3.99], [0, 0, 16, 8]]) * unit
    assert max_iou_match(half, box).tolist() == [0, NEGATIVE, 0]


@pytest.mark.craft("DE03")
def test_fewer_are_positive_as_the_threshold_rises():
    overlaps = torch.linspace(0, 1, 101, dtype=torch.float64)[None]
    counts = [int((match_overlaps(overlaps, IouRule(t, t)) == 0).sum()) for t in (0.25, 0.5, 0.75, 1.0)]
    assert counts == [76, 51, 26, 1]


@pytest.mark.craft("DE19")
def test_rpn_by_hand():
    """Three objects: one with good anchors, one whose best anchor lies below 0.7, one that nothing touches."""
    overlaps = torch.tensor(
        [
            [0.90, 0.70, 0.69, 0.30, 0.29, 0.00, 0.10],
            [0.00, 0.00, 0.00, 0.00, 0.10, 0.45, 0.45],
            [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00],
        ]
    )
    plain = IouRule(0.7, 0.3)
    assert match_overlaps(overlaps, plain).tolist() == [0, 0, IGNORED, IGNORED, NEGATIVE, IGNORED, IGNORED]
    assert match_overlaps(overlaps, RPN).tolist() == [0, 0, IGNORED, IGNORED, NEGATIVE, 1, 1]  # ties both


@pytest.mark.craft("DE19")
def test_a_best_anchor_below_every_threshold_is_positive():
    overlaps = torch.tensor([[0.05, 0.2, 0.1]])
    assert match_overlaps(overlaps, RPN).tolist() == [NEGATIVE, 0, NEGATIVE]


def test_low_quality_anchor_stays_with_the_object_it_overlaps_most():
    overlaps = torch.tensor([[0.6, 0.2], [0.5, 0.0]])  # the second object's best anchor belongs to the first
    assert match_overlaps(overlaps, IouRule(0.7, 0.3, low_quality=True)).tolist() == [0, NEGATIVE]


def test_fast_rcnn_leaves_out_background_that_touches_nothing():
    overlaps = torch.tensor([[0.5, 0.49, 0.1, 0.09]])
    assert match_overlaps(overlaps, FAST_RCNN).tolist() == [0, NEGATIVE, NEGATIVE, IGNORED]


def test_rules_out_of_order_are_refused():
    with pytest.raises(ValueError, match="least <= negative <= positive"):
        IouRule(0.3, 0.7)


@pytest.mark.parametrize("rule", [HEAD, RPN, FAST_RCNN])
def test_without_objects_all_is_negative(rule):
    assert max_iou_match(random_boxes(5, 0), torch.empty(0, 4), rule).tolist() == [NEGATIVE] * 5
    assert max_iou_match(torch.empty(0, 4), random_boxes(5, 0), rule).tolist() == []
    assert ssd_match(random_boxes(5, 0), torch.empty(0, 4)).tolist() == [NEGATIVE] * 5


@pytest.mark.parametrize("match", [max_iou_match, ssd_match])
def test_flagged_objects_are_neither_found_nor_background(match):
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 0, 60, 40]])
    anchors = torch.tensor([[0.0, 0, 10, 10], [20, 0, 60, 40], [22, 2, 30, 10], [16, 0, 24, 8], [14, 0, 22, 8]])
    crowd = torch.tensor([False, True])
    kwargs = {"flagged": crowd}
    assert match(anchors, boxes, **kwargs).tolist() == [0, IGNORED, IGNORED, IGNORED, NEGATIVE]
    assert match(anchors, boxes[1:], flagged=crowd[1:]).tolist() == [NEGATIVE, IGNORED, IGNORED, IGNORED, NEGATIVE]
    assert match(anchors, boxes).tolist()[1] == 1


def test_mostly_inside_has_its_boundary_in():
    regions = torch.tensor([[0.0, 0, 10, 10]])
    anchors = torch.tensor([[5.0, 0, 15, 10], [6, 0, 16, 10], [2, 2, 2, 2]])
    assert mostly_inside(anchors, regions).tolist() == [True, False, False]


def test_a_slot_goes_to_the_greatest_claim_and_of_equal_ones_to_the_first():
    slots = torch.tensor([2, 0, 2, 2, 0])
    values = torch.tensor([1.0, 5.0, 3.0, 3.0, 5.0])
    assert claimed(slots, values, 4).tolist() == [1, -1, 2, -1]
    assert claimed(slots[:0], values[:0], 2).tolist() == [-1, -1]


def greedy_pairs(overlaps):
    """The definition: again and again the greatest overlap of an object and an anchor that are both free."""
    left, pairs = overlaps.clone(), torch.full((len(overlaps),), -1)
    while left.numel() and float(left.max()) > 0:
        i, j = divmod(int(left.argmax()), left.shape[1])
        pairs[i] = j
        left[i], left[:, j] = 0, 0
    return pairs


@settings(max_examples=60)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6))
def test_bipartite_pairs_are_the_greedy_ones(objects, anchors, seed):
    generator = torch.Generator().manual_seed(seed)
    overlaps = torch.rand(objects, anchors, generator=generator, dtype=torch.float64)
    overlaps[torch.rand(objects, anchors, generator=generator) < 0.3] = 0
    assert torch.equal(best_pairs(overlaps), greedy_pairs(overlaps))


@pytest.mark.craft("DE31")
def test_ssd_gives_every_object_an_anchor_of_its_own():
    """Two objects whose best anchor is the same: the second best pair of the one is below any threshold."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8]])
    anchors = torch.tensor([[0.0, 0, 10, 10], [8, 8, 18, 18], [0, 6, 10, 16], [30, 30, 40, 40]])
    assert ssd_match(anchors, boxes).tolist() == [0, NEGATIVE, 1, NEGATIVE]
    close = torch.cat((anchors, torch.tensor([[0.0, 0, 10, 9.5]])))
    assert ssd_match(close, boxes).tolist() == [0, NEGATIVE, NEGATIVE, NEGATIVE, 1]


@pytest.mark.craft("DE31")
def test_ssd_adds_what_overlaps_enough():
    anchors, boxes = random_boxes(300, 1), random_boxes(6, 2)
    matches = ssd_match(anchors, boxes)
    overlaps = box_iou(boxes, anchors)
    assert set(range(6)) <= set(matches.tolist())
    own = best_pairs(overlaps).tolist()
    for anchor, match in enumerate(matches.tolist()):
        if anchor in own:
            assert own[match] == anchor
        elif float(overlaps[:, anchor].max()) >= 0.5:
            assert match == int(overlaps[:, anchor].argmax())
        else:
            assert match == NEGATIVE


def test_max_iou_is_what_a_loop_over_anchors_gives():
    anchors, boxes = random_boxes(200, 3), random_boxes(7, 4)
    overlaps = box_iou(boxes, anchors)
    matches = max_iou_match(anchors, boxes, RPN)
    top = overlaps.amax(dim=1)
    for anchor, match in enumerate(matches.tolist()):
        mine = overlaps[:, anchor]
        if float(mine.max()) >= 0.7 or bool(((mine == top) & (top > 0)).any()):
            assert match == int(mine.argmax())
        else:
            assert match == (NEGATIVE if float(mine.max()) < 0.3 else IGNORED)
