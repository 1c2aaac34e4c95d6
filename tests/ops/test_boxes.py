"""Box formats go round trip, and a box that is none is found."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osler.ops.boxes import FORMATS, box_convert, valid_boxes

NUMBERS = st.floats(0, 1000, width=32)


@pytest.mark.craft("DA12")
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=6))
def test_every_format_goes_round_trip(rows: list[tuple[float, ...]]) -> None:
    boxes = torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)
    for a in FORMATS:
        for b in FORMATS:
            assert torch.allclose(box_convert(box_convert(boxes, a, b), b, a), boxes, atol=1e-6)


@pytest.mark.craft("DA12")
def test_one_box_in_three_formats() -> None:
    box = {"xyxy": [10.0, 20.0, 40.0, 60.0], "xywh": [10.0, 20.0, 30.0, 40.0], "cxcywh": [25.0, 40.0, 30.0, 40.0]}
    for a in FORMATS:
        for b in FORMATS:
            assert box_convert(torch.tensor(box[a]), a, b).tolist() == box[b]
            assert box_convert(torch.tensor([[box[a]] * 2]), in_fmt=a, out_fmt=b).tolist() == [[box[b]] * 2]


def test_a_copy_also_where_nothing_changes_and_gradients_pass() -> None:
    boxes = torch.rand(3, 4, requires_grad=True)
    for out in FORMATS:
        converted = box_convert(boxes, "xyxy", out)
        assert converted.data_ptr() != boxes.data_ptr()
        converted.sum().backward()
    assert boxes.grad is not None


@pytest.mark.craft("DA12")
def test_valid_boxes() -> None:
    boxes = torch.tensor(
        [
            [0, 0, 10, 10],
            [5, 5, 5, 9],  # no width
            [5, 9, 9, 5],  # upside down
            [-1, 0, 4, 4],  # begins outside
            [0, 0, 11, 10],  # ends outside
            [math.nan, 0, 4, 4],
            [0, 0, math.inf, 4],
        ]
    )
    assert valid_boxes(boxes).tolist() == [True, False, False, True, True, False, False]
    assert valid_boxes(boxes, (10, 10)).tolist() == [True] + [False] * 6
    assert valid_boxes(boxes, (10, 11)).tolist() == [True, False, False, False, True, False, False]
    assert valid_boxes(torch.zeros(0, 4)).tolist() == []


def test_unknown_formats_and_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="yxyx"):
        box_convert(torch.zeros(1, 4), "xyxy", "yxyx")
    with pytest.raises(ValueError, match=r"\(2, 5\)"):
        box_convert(torch.zeros(2, 5), "xyxy", "xywh")
