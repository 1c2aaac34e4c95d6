"""Boxes moved to where they are predicted to sit better (Jiang et al. 2018, section 3.4, algorithm 2).

A regressor jumps once and does not know whether it landed well. Here a box climbs, a few steps along the gradient of its
predicted IoU with respect to its own corners, and stops where that gains nothing more.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Boxes = Float[Tensor, "boxes 4"]
Confidence = Callable[[Boxes], Float[Tensor, " boxes"]]


@dataclass(frozen=True, slots=True)
class RefinementRule:
    """How boxes climb; the numbers are those of section 4.3.

    Attributes:
        steps: at most; 0 leaves boxes where they are.
        rate: of a step, times the gradient and the size of the box along that axis.
        settled: a box stops where its confidence changed by less.
        worse: a box stops where its confidence fell by more.
    """

    steps: int = 5
    rate: float = 0.5
    settled: float = 0.001
    worse: float = 0.01


def refine_boxes(boxes: Boxes, confidence: Confidence, rule: RefinementRule | None = None) -> Boxes:
    """The boxes after their climb.

    A box that stops stays where its last step brought it. Where that was worse it goes back to where it stood; the paper's
    algorithm leaves it there.

    Args:
        boxes: x1, y1, x2, y2 in pixels.
        confidence: the predicted IoU of each of the boxes given, all of them in their order; differentiable.
        rule: how many steps, and how large.
    """
    rule = rule or RefinementRule()
    boxes = boxes.detach().clone()
    climbing = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    before, slope = _slope(boxes, confidence)
    for _ in range(rule.steps):
        if not climbing.any():
            break
        size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        moved = torch.where(climbing[:, None], boxes + rule.rate * slope * size, boxes)
        after, slope_there = _slope(moved, confidence)
        fell = climbing & ((after < before) | (moved[:, 2:] <= moved[:, :2]).any(dim=1))
        boxes = torch.where(fell[:, None], boxes, moved)
        climbing &= ((after - before).abs() >= rule.settled) & (after - before >= -rule.worse) & ~fell
        before, slope = torch.where(fell, before, after), slope_there
    return boxes


def _slope(boxes: Boxes, confidence: Confidence) -> tuple[Float[Tensor, " boxes"], Boxes]:
    """The confidence of each box, and its gradient with respect to the corners: no box's depends on another's."""
    with torch.enable_grad():
        corners = boxes.detach().requires_grad_()
        scores = confidence(corners)
        slope = torch.autograd.grad(scores.sum(), corners)[0]
    return scores.detach(), slope
