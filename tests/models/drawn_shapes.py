"""Small pictures with bright squares and discs in them, and a short training: for detectors to learn a few by heart."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from osler.metrics.detection import coco_numbers
from osler.structures.detections import TrueObjects

CLASSES = 2  # squares, discs
SIDE = 64
SMALL = {"backbone": {"name": "resnet18", "options": {"width": 0.125}}}


def truth(*rows: tuple[float, float, float, float, int], ignored: Sequence[int] = ()) -> TrueObjects:
    """Objects by their corners and class; those at the places `ignored` count for nothing."""
    boxes = torch.tensor([row[:4] for row in rows], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([row[4] for row in rows], dtype=torch.int64)
    return TrueObjects(boxes, labels, torch.isin(torch.arange(len(rows)), torch.tensor(ignored, dtype=torch.int64)))


def drawn(pictures: int = 4, seed: int = 0) -> tuple[Tensor, list[TrueObjects]]:
    """Standardised pictures of faint noise with a shape of 16 to 29 pixels in the left half and one in the right."""
    rng = torch.Generator().manual_seed(seed)
    images = 0.1 * torch.randn(pictures, 3, SIDE, SIDE, generator=rng)
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    truths = []
    for image in images:
        rows, masks = [], []
        for half in (0, SIDE // 2):
            size, label = _whole(16, 30, rng), _whole(0, CLASSES, rng)
            left, top = half + _whole(0, SIDE // 2 - size, rng), _whole(0, SIDE - size, rng)
            right, bottom = left + size, top + size
            square = (x > left) & (x < right) & (y > top) & (y < bottom)
            disc = (x - (left + right) / 2).square() + (y - (top + bottom) / 2).square() < (size / 2) ** 2
            masks.append(disc if label else square)
            image[label][masks[-1]] += 2
            rows.append((left, top, right, bottom, label))
        truths.append(replace(truth(*rows), masks=torch.stack(masks).to(torch.uint8)))
    return images, truths


def learnt_by_heart(
    model: nn.Module, images: Tensor, truths: list[TrueObjects], *, steps: int, rate: float = 2e-3
) -> float:
    """AP50 on the pictures themselves after so many updates; the rate falls to nothing over the second half."""
    train(model, [(images, truths)] * steps, rate=rate)
    with torch.no_grad():
        return coco_numbers(model(images), truths, CLASSES)["ap50"]


def train(
    model: nn.Module, batches: Sequence[tuple[Tensor, list[TrueObjects]]], *, rate: float = 2e-3
) -> list[dict[str, float]]:
    """An update for each batch, the rate falling to nothing over the second half; the losses of each. Ends in evaluation mode."""
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2 * (1 - step / len(batches))))
    course = []
    model.train()
    for images, truths in batches:
        optimizer.zero_grad()
        losses = model.losses(images, truths)
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        course.append({name: float(loss.detach()) for name, loss in losses.items()})
    model.eval()
    return course


def _whole(lowest: int, below: int, rng: torch.Generator) -> int:
    return int(torch.randint(lowest, below, (), generator=rng))
