import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.ops import nms, soft_nms, weighted_boxes_fusion
from osler.ops.box_overlap import iou

PAIR = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [50, 50, 60, 60]])  # IoU 0.8
SCORES = torch.tensor([0.9, 0.8, 0.5])


@pytest.mark.craft("DE35")
def test_an_overlapped_box_loses_score_and_stays():
    kept, left = soft_nms(PAIR, SCORES, "linear")
    assert kept.tolist() == [0, 2, 1]
    assert left.tolist() == pytest.approx([0.9, 0.5, 0.8 * 0.2])
    kept, left = soft_nms(PAIR, SCORES, "gaussian", sigma=0.5)
    assert kept.tolist() == [0, 2, 1]
    assert left.tolist() == pytest.approx([0.9, 0.5, 0.8 * math.exp(-0.64 / 0.5)])
    assert nms(PAIR, SCORES, 0.5).tolist() == [0, 2]


def test_what_falls_below_the_threshold_goes_and_classes_do_not_meet():
    assert soft_nms(PAIR, SCORES, "linear", score_threshold=0.2)[0].tolist() == [0, 2]
    kept, left = soft_nms(PAIR, SCORES, idxs=torch.tensor([0, 1, 0]))
    assert kept.tolist() == [0, 1, 2]
    assert left.tolist() == pytest.approx(SCORES.tolist())
    assert [len(each) for each in soft_nms(PAIR[:0], SCORES[:0])] == [0, 0]


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(["linear", "gaussian"]))
def test_the_published_loop(seed, method):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(25, 2, generator=generator, dtype=torch.float64) * 20
    boxes = torch.cat([corner, corner + 5 + torch.rand(25, 2, generator=generator) * 10], 1)
    scores = torch.rand(25, generator=generator, dtype=torch.float64)
    left, expected = {i: float(s) for i, s in enumerate(scores) if s >= 0.05}, []
    while left:
        best = max(left, key=lambda i: left[i])
        expected.append((best, left.pop(best)))
        for i in left:
            o = float(iou(boxes[best], boxes[i], 0))
            left[i] *= (1 - o if o >= 0.3 else 1) if method == "linear" else math.exp(-o * o / 0.5)
        left = {i: s for i, s in left.items() if s >= 0.05}
    kept, remaining = soft_nms(boxes, scores, method, score_threshold=0.05)
    assert kept.tolist() == [i for i, _ in expected]
    assert remaining.tolist() == pytest.approx([s for _, s in expected])


def test_soft_nms_refuses_what_is_not_published():
    with pytest.raises(ValueError, match="'linear' or 'gaussian'"):
        soft_nms(PAIR, SCORES, "cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sigma"):
        soft_nms(PAIR, SCORES, sigma=0.0)


def test_fusion_of_two_models_by_hand():
    first, second = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[0.0, 0, 10, 8], [70, 70, 90, 90]])
    boxes, scores, labels = weighted_boxes_fusion(
        [first, second], [torch.tensor([0.9]), torch.tensor([0.3, 0.8])], [torch.tensor([4]), torch.tensor([4, 2])]
    )
    # (0.9 * 10 + 0.3 * 8) / 1.2 = 9.5; its score is the mean; the box that one of two saw keeps half its score
    assert boxes.flatten().tolist() == pytest.approx([0, 0, 10, 9.5, 70, 70, 90, 90])
    assert scores.tolist() == pytest.approx([0.6, 0.4])
    assert labels.tolist() == [4, 2]


def test_fusion_of_one_model_with_nothing_to_fuse_changes_nothing():
    kept = weighted_boxes_fusion([PAIR[[0, 2]]], [SCORES[[0, 2]]], [torch.tensor([0, 0])])
    assert torch.equal(kept[0], PAIR[[0, 2]])
    assert torch.equal(kept[1], SCORES[[0, 2]])
    assert len(weighted_boxes_fusion([PAIR], [SCORES], [torch.tensor([0, 1, 0])])[0]) == 3  # classes do not meet
    assert (
        len(weighted_boxes_fusion([PAIR], [SCORES], [torch.zeros(3, dtype=torch.int64)], score_threshold=0.6)[0]) == 1
    )
    assert len(weighted_boxes_fusion([PAIR[:0]], [SCORES[:0]], [torch.zeros(0, dtype=torch.int64)])[0]) == 0


def test_a_model_that_is_believed_more_pulls_the_box():
    boxes, labels = [PAIR[:1], PAIR[1:2]], [torch.tensor([0])] * 2
    fused, scores, _ = weighted_boxes_fusion(boxes, [torch.tensor([0.5])] * 2, labels, weights=[3, 1])
    assert fused[0, 3] == pytest.approx((3 * 10 + 8) / 4)
    assert scores.tolist() == pytest.approx([(1.5 + 0.5) / 2 * 2 / 4])
    with pytest.raises(ValueError, match="one entry for each model"):
        weighted_boxes_fusion(boxes, [SCORES], labels)
