import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.ops.box_overlap import area, ciou, diou, giou, iou, pairwise

MEASURES = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}

coordinate = st.integers(0, 20)
boxes = st.tuples(coordinate, coordinate, st.integers(1, 20), st.integers(1, 20)).map(
    lambda b: torch.tensor([b[0], b[1], b[0] + b[2], b[1] + b[3]], dtype=torch.float64)
)


@pytest.mark.parametrize("name", MEASURES)
def test_all_with_all_equal_torchvision(name, shared):
    reference = np.load(shared / "reference" / "ops.npz")
    first, second = torch.from_numpy(reference["boxes"]).split([40, 50, 510])[:2]
    assert torch.allclose(pairwise(MEASURES[name], first, second), torch.from_numpy(reference[name]), atol=1e-5)


@pytest.mark.craft("DE02", "LO12")
def test_the_textbook_pair_has_one_seventh():
    a, b = torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 1, 3, 3])
    assert float(iou(a, b)) == pytest.approx(1 / 7, abs=1e-6)
    assert float(giou(a, b)) == pytest.approx(1 / 7 - 2 / 9, abs=1e-6)
    assert float(diou(a, b)) == pytest.approx(1 / 7 - 2 / 18, abs=1e-6)
    assert float(ciou(a, b)) == pytest.approx(float(diou(a, b)), abs=1e-6)  # both are squares
    assert float(iou(a, b + 2)) == 0  # disjoint


def test_area_is_width_times_height():
    assert area(torch.tensor([[1.0, 2, 4, 7]])).tolist() == [15]


@pytest.mark.craft("DE02")
@settings(max_examples=25, deadline=None)
@given(boxes, boxes)
def test_symmetric_bounded_and_ordered(a, b):
    values = {n: float(m(a, b)) for n, m in MEASURES.items()}
    assert values["iou"] == float(iou(b, a))
    assert 0 <= values["iou"] <= 1
    assert -1 < values["giou"] <= values["iou"] + 1e-6
    assert values["ciou"] <= values["diou"] + 1e-12 <= values["iou"] + 2e-12


@settings(max_examples=25, deadline=None)
@given(boxes, st.integers(-5, 5), st.integers(1, 4))
def test_a_box_with_itself_is_one_wherever_and_however_large(box, shift, scale):
    moved = (box + shift) * scale
    for measure in MEASURES.values():
        assert float(measure(moved, moved)) == pytest.approx(1, abs=1e-6)


def test_empty_boxes_give_zero_and_not_nan():
    empty = torch.zeros(4)
    assert all(torch.isfinite(m(empty, empty)) for m in MEASURES.values())
    assert float(iou(empty, empty)) == 0
