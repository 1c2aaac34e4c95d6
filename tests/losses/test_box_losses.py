import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.losses.box import ciou_loss, diou_loss, giou_loss, iou_loss
from osler.ops.box_overlap import giou

ALL = [iou_loss, giou_loss, diou_loss, ciou_loss]


@pytest.mark.craft("LO12")
def test_disjoint_boxes_have_negative_giou_and_a_gradient_that_iou_lacks():
    target = torch.tensor([[10.0, 10.0, 12.0, 12.0]])
    assert giou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), target).item() < 0
    slopes = {}
    for loss in ALL:
        box = torch.tensor([[0.0, 0.0, 2.0, 2.0]], requires_grad=True)
        value = loss(box, target)
        value.backward()
        slopes[loss] = float(box.grad.abs().sum())
        assert value.item() >= 1 - 1e-6
    assert slopes[iou_loss] == 0
    assert all(slopes[loss] > 0 for loss in ALL[1:])


@pytest.mark.craft("LO12", "LO02")
@pytest.mark.parametrize("loss", ALL)
def test_descent_brings_a_distant_box_home(loss):
    """Each of the family moves an overlapping box onto its target; all but IoU also one that does not meet it."""
    starts = {"overlapping": [1.0, 1.0, 4.0, 4.0], "disjoint": [6.0, 5.0, 8.0, 9.0]}
    target = torch.tensor([0.0, 0.0, 3.0, 3.0])
    ends = {}
    for name, start in starts.items():
        box = torch.tensor(start, requires_grad=True)
        optimizer = torch.optim.Adam([box], lr=0.1)
        for _ in range(250):
            optimizer.zero_grad()
            loss(box, target).backward()
            optimizer.step()
        ends[name] = loss(box, target).item()
    assert ends["overlapping"] < 0.1
    assert (ends["disjoint"] < 0.2) == (loss is not iou_loss)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_gradients_equal_finite_differences(seed):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(4, 2, generator=generator, dtype=torch.float64) * 10
    sizes = torch.rand(4, 2, generator=generator, dtype=torch.float64) * 5 + 1
    boxes = torch.cat([corners, corners + sizes], dim=1)
    outputs, target = boxes[:2].requires_grad_(True), boxes[2:].detach()
    for loss in (iou_loss, giou_loss, diou_loss):
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, target), outputs)


def test_ciou_holds_its_trade_off_constant_in_the_gradient():
    box = torch.tensor([[0.0, 0.0, 2.0, 1.0]], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[0.0, 0.0, 1.0, 2.0]], dtype=torch.float64)
    ciou_loss(box, target).backward()
    whole = box.grad.clone()
    box.grad = None
    diou_loss(box, target).backward()
    by_shape = (whole - box.grad)[0]
    turn = math.atan(2) - math.atan(1 / 2)  # of the diagonals; their boxes have IoU 1/3
    v = 4 / math.pi**2 * turn**2
    alpha = v / (1 - 1 / 3 + v)
    slope = 8 / math.pi**2 * turn / 5  # of v by the angle, times 1 / (width^2 + height^2)
    assert by_shape.tolist() == pytest.approx(
        [-alpha * slope, alpha * slope * 2, alpha * slope, -alpha * slope * 2], rel=1e-5
    )


@pytest.mark.parametrize("loss", [iou_loss, giou_loss, diou_loss, ciou_loss])
def test_a_picture_without_objects_trains(loss):
    nothing = torch.zeros(0, 4, requires_grad=True)
    value = loss(nothing, torch.zeros(0, 4))
    assert value == 0
    value.backward()
    assert loss(nothing, torch.zeros(0, 4), reduction="none").shape == (0,)
