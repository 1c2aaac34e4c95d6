"""A plain training of a detector, and how many of the objects it then finds."""

from collections.abc import Sequence
from typing import TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.metrics.detection import coco_numbers
from osler.ops.overlap_matrices import box_iou
from osler.structures.detections import Detections, TrueObjects

Images = Float[Tensor, "pictures channels height width"]
M = TypeVar("M", bound=nn.Module)
LONGEST = 10.0  # gradients are cut at this norm


def fit_detector(
    model: M,
    images: Images,
    truths: Sequence[TrueObjects],
    *,
    steps: int,
    batch: int = 4,
    rate: float = 2e-3,
) -> M:
    """Trains `model` in place by AdamW, whose rate falls to nothing in the second half, and returns it for evaluation.

    The pictures come in their order, `batch` at a time, over and over.
    """
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2 * (1 - step / steps)))
    model.train()
    for step in range(steps):
        rows = [(step * batch + i) % len(images) for i in range(min(batch, len(images)))]
        optimizer.zero_grad()
        named: dict[str, Tensor] = model.losses(images[rows], [truths[i] for i in rows])  # type: ignore[operator]
        torch.stack([value.float() for value in named.values()]).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), LONGEST)
        optimizer.step()
        falling.step()
    return model.eval()


@torch.no_grad()
def ap50(model: nn.Module, images: Images, truths: Sequence[TrueObjects], classes: int) -> float:
    """COCO's average precision at an overlap of 0.5."""
    return coco_numbers(model(images), truths, classes)["ap50"]


@torch.no_grad()
def recall(
    model: nn.Module, images: Images, truths: Sequence[TrueObjects], *, most: int = 10, overlap: float = 0.5
) -> float:
    """Share of the objects that one of the `most` surest detections of their class overlaps by at least `overlap`."""
    answers = cast(list[Detections], model(images))
    hits, total = 0, 0
    for found, true in zip(answers, truths, strict=True):
        best = found.select(torch.arange(min(most, len(found))))
        same = best.labels[:, None] == true.labels[None]
        hits += int(((box_iou(best.boxes, true.boxes) >= overlap) & same).any(dim=0).sum())
        total += len(true)
    return hits / total
