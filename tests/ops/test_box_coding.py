import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osler.ops.box_coding import (
    SSD_WEIGHTS,
    decode_boxes,
    decode_distances,
    decode_yolo_anchors,
    decode_yolo_grid,
    encode_boxes,
    encode_distances,
    encode_yolo_anchors,
    encode_yolo_grid,
)
from osler.ops.box_overlap import iou

seeds = st.integers(0, 10_000)


def some_boxes(seed, number=6, largest=60):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(number, 2, generator=generator, dtype=torch.float64) * 100
    return torch.cat([corner, corner + 4 + torch.rand(number, 2, generator=generator) * largest], 1)


@pytest.mark.craft("DE22")
@given(seeds)
def test_every_coding_goes_round_trip(seed):
    boxes, anchors = some_boxes(seed), some_boxes(seed + 1)
    for weights in ((1.0, 1.0, 1.0, 1.0), SSD_WEIGHTS):
        assert torch.allclose(decode_boxes(encode_boxes(boxes, anchors, weights), anchors, weights), boxes, atol=1e-9)
    points = anchors[:, :2]
    assert torch.allclose(decode_distances(encode_distances(boxes, points), points), boxes, atol=1e-12)
    cells, roots = encode_yolo_grid(boxes, (200, 170), 7)
    assert ((roots >= 0) & (roots <= 1)).all()
    assert torch.allclose(decode_yolo_grid(roots, cells, (200, 170), 7), boxes, atol=1e-9)
    cells, sizes = ((boxes[:, :2] + boxes[:, 2:]) / 2 / 16).floor().long(), anchors[:, 2:] - anchors[:, :2]
    target = encode_yolo_anchors(boxes, cells, sizes, 16)
    outputs = torch.cat([torch.logit(target[:, :2]), target[:, 2:]], 1)
    assert torch.allclose(decode_yolo_anchors(outputs, cells, sizes, 16), boxes, atol=1e-6)


@pytest.mark.craft("DE22")
def test_the_four_numbers_by_hand():
    anchor, box = torch.tensor([[0.0, 0, 10, 20]]), torch.tensor([[5.0, 0, 25, 40]])  # middles 5, 10 and 15, 20
    expected = [1.0, 0.5, math.log(2), math.log(2)]
    assert encode_boxes(box, anchor)[0].tolist() == pytest.approx(expected)
    weighed = encode_boxes(box, anchor, (10, 10, 5, 5))[0].tolist()  # SSD's variances 0.1, 0.1, 0.2, 0.2
    assert weighed == pytest.approx([e / v for e, v in zip(expected, (0.1, 0.1, 0.2, 0.2), strict=True)])


@pytest.mark.craft("DE23")
@given(seeds, st.floats(0.1, 10))
def test_a_picture_of_another_size_has_the_same_numbers(seed, scale):
    boxes, anchors = some_boxes(seed), some_boxes(seed + 1)
    assert torch.allclose(encode_boxes(boxes * scale, anchors * scale), encode_boxes(boxes, anchors), atol=1e-9)


@pytest.mark.craft("DE23")
@given(seeds, st.floats(0, 1000))
def test_whatever_is_predicted_decodes_to_a_finite_positive_size(seed, spread):
    wild = torch.randn(6, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * spread
    boxes = decode_boxes(wild, some_boxes(seed))
    assert torch.isfinite(boxes).all()
    assert (boxes[:, 2:] >= boxes[:, :2]).all()
    assert decode_boxes(torch.tensor([[0.0, 0, 99, 99]]), torch.tensor([[0.0, 0, 16, 16]]))[0, 2] == pytest.approx(508)


@pytest.mark.craft("DE24")
@pytest.mark.parametrize(("ratio", "error"), [(1.1, 5), (1.2, 10), (2.0, 44), (0.5, 28)])
def test_the_logarithm_is_nearly_linear_only_near_the_box(ratio, error):
    anchor = torch.tensor([[0.0, 0, 10, 10]], dtype=torch.float64)
    coded = float(encode_boxes(anchor * ratio, anchor)[0, 2])
    assert round(100 * abs((ratio - 1) / coded - 1)) == error


@pytest.mark.craft("DE21", "DE24")
def test_a_linear_regressor_mends_boxes_near_the_object_and_fails_far_from_it():
    """It sees where the object's sides lie within the proposal, of the box itself, and is fitted to all proposals."""
    generator = torch.Generator().manual_seed(0)
    proposal = some_boxes(0, 6000)
    size = (proposal[:, 2:] - proposal[:, :2]).repeat(1, 2)
    spread = torch.rand(6000, 1, generator=generator) * 0.3
    truth = proposal + torch.randn(6000, 4, generator=generator).clamp(-1.5, 1.5) * spread * size
    before = iou(proposal, truth)
    features = torch.cat([(truth - proposal) / size, torch.ones(6000, 1, dtype=torch.float64)], 1)
    features = features + 0.02 * torch.randn(features.shape, generator=generator)
    targets = encode_boxes(truth, proposal)
    near = before > 0.6
    fit = torch.linalg.lstsq(features[near], targets[near]).solution
    error = (features @ fit - targets).abs().mean(1)
    ranges = [(0.8, 1.0), (0.6, 0.8), (0.4, 0.6), (0.2, 0.4)]
    errors = [float(error[(before > low) & (before <= high)].mean()) for low, high in ranges]
    assert errors == sorted(errors)
    assert errors[-1] > 3 * errors[0]
    missed = (before > 0.3) & (before < 0.5)  # of the right class, and yet not found
    after = iou(decode_boxes(features @ fit, proposal), truth)
    assert float(before[missed].mean()) < 0.5 < float(after[missed].mean())


def test_yolo_outputs_stay_in_their_cell_and_the_last_cell_holds_the_edge():
    outputs = torch.tensor([[-50.0, 50, 0, 0]])
    box = decode_yolo_anchors(outputs, torch.tensor([[2, 3]]), torch.tensor([[8.0, 8]]), 16)
    assert box[0].tolist() == pytest.approx([32 - 4, 64 - 4, 32 + 4, 64 + 4])
    cells, place = encode_yolo_grid(torch.tensor([[90.0, 90, 110, 110]]), (100, 100), 7)
    assert cells.tolist() == [[6, 6]]
    assert place[0, 0] == pytest.approx(1)


def test_gradients_reach_the_numbers_and_no_boxes_are_no_error():
    deltas = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: decode_boxes(d, some_boxes(0, 3)), deltas)
    none = torch.zeros(0, 4)
    assert decode_boxes(encode_boxes(none, none), none).shape == (0, 4)
