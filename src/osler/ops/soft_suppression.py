"""Soft non-maximum suppression: what overlaps a better box loses score and not its place.

Bodla et al. 2017, "Soft-NMS: Improving Object Detection With One Line of Code", section 3. The best box left is taken;
each other's score is multiplied by 1 - IoU where IoU is at least a threshold (linear), or by exp(-IoU^2 / sigma)
(Gaussian). Each step depends on the one before, so this runs box by box on the CPU.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def soft_nms(
    boxes: Float[Tensor, "boxes 4"],
    scores: Float[Tensor, " boxes"],
    method: Literal["linear", "gaussian"] = "gaussian",
    *,
    idxs: Int[Tensor, " boxes"] | None = None,
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    score_threshold: float = 0.001,
) -> tuple[Int[Tensor, " kept"], Float[Tensor, " kept"]]:
    """The indices of the boxes in the order in which they are taken, and the scores that they have left, falling.

    Args:
        boxes: `xyxy`.
        scores: at least 0.
        method: how scores fall.
        idxs: the group of each box, such as its class; only boxes of one group lower each other's. None: all are one.
        iou_threshold: from this IoU on scores fall, of `linear` only.
        sigma: above 0, of `gaussian` only; a larger one lets scores fall less.
        score_threshold: boxes whose score falls below it are dropped.

    Raises:
        ValueError: the method is neither, or sigma is not above 0.
    """
    if method not in ("linear", "gaussian"):
        raise ValueError(f"Scores fall by 'linear' or 'gaussian'; given: {method!r}.")
    if sigma <= 0:
        raise ValueError(f"sigma is above 0; given: {sigma}.")
    left = np.arange(len(boxes))
    corners, value = boxes.detach().cpu().double().numpy(), scores.detach().cpu().double().numpy().copy()
    group = np.zeros(len(boxes), dtype=np.int64) if idxs is None else idxs.cpu().numpy()
    taken, remaining = [], []
    left = left[value[left] >= score_threshold]
    while left.size:
        best = int(left[np.argmax(value[left])])
        taken.append(best)
        remaining.append(value[best])
        left = left[left != best]
        overlap = _iou(corners[best], corners[left]) * (group[left] == group[best])
        if method == "linear":
            value[left] *= np.where(overlap >= iou_threshold, 1 - overlap, 1.0)
        else:
            value[left] *= np.exp(-(overlap**2) / sigma)
        left = left[value[left] >= score_threshold]
    index = torch.tensor(taken, dtype=torch.int64, device=boxes.device)
    return index, torch.tensor(remaining, dtype=scores.dtype, device=scores.device)


def _iou(box: Float[np.ndarray, "4"], others: Float[np.ndarray, "others 4"]) -> Float[np.ndarray, " others"]:
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = sides.clip(min=0).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
