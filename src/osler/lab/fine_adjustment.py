"""Why a regressor of boxes can only adjust finely (Girshick et al. 2014, appendix C).

Its targets hold the logarithm of a ratio of sizes. A linear layer sees the ratio r itself, and log r is close to r - 1
only near r = 1; nor does a crop show all of an object that it has mostly missed. So the regressor is trained on, and
trusted with, proposals that lie near an object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from osler.ops.box_coding import decode_boxes, encode_boxes
from osler.ops.box_overlap import iou

CELLS = 16  # of a crop, along each axis
CONTEXT = 1.25  # the crop's side over the proposal's
BANDS = ((0.9, 1.0), (0.8, 0.9), (0.7, 0.8), (0.6, 0.7), (0.5, 0.6), (0.4, 0.5), (0.3, 0.4), (0.2, 0.3))


@dataclass(frozen=True, slots=True)
class LogOfRatio:
    """The logarithm of a ratio of sizes, and what is linear in the ratio: its tangent at 1."""

    ratio: float
    log: float
    linear: float  # ratio - 1
    error: float  # |linear - log| / |log|


def log_of_ratios(ratios: Sequence[float] = (1.1, 1.2, 2.0, 0.5)) -> list[LogOfRatio]:
    """How far r - 1 is from log r, worked by the box coding itself: a box r times as wide as its anchor.

    Raises:
        ValueError: a ratio is not above 0, or is 1, where both are 0.
    """
    if any(ratio <= 0 or ratio == 1 for ratio in ratios):
        raise ValueError(f"Ratios of sizes are above 0, and 1 has no relative error; given: {list(ratios)}.")
    anchor = torch.tensor([0.0, 0, 1, 1], dtype=torch.float64)
    table = []
    for ratio in ratios:
        log = float(encode_boxes(torch.tensor([0, 0, ratio, 1], dtype=torch.float64), anchor)[2])
        table.append(LogOfRatio(ratio, log, ratio - 1, abs(ratio - 1 - log) / abs(log)))
    return table


@dataclass(frozen=True, slots=True)
class ErrorAtIou:
    """What a linear regressor does to new proposals whose IoU with their object lies in a band."""

    low: float
    high: float
    proposals: int
    error: float  # mean distance from the target, of the four numbers
    before: float  # mean IoU of the proposals
    after: float  # mean IoU of the adjusted boxes


def errors_by_iou(*, trained_from: float = 0.6, proposals: int = 20_000, seed: int = 0) -> list[ErrorAtIou]:
    """Ridge regression from crops to targets, and its errors band by band, the nearest proposals first.

    A proposal's crop holds some context and shows, in each of its columns and rows, how much of that the object takes.
    Half of the proposals train, those of at least `trained_from` IoU; the bands are measured on the other half.

    Args:
        trained_from: IoU of the training proposals with their object at least; 0.6 in R-CNN.
        proposals: to draw, with sides and middles around their object's so that every band has some.
        seed: of the draw.
    """
    boxes, objects = _proposals(proposals, seed)
    overlap = iou(boxes, objects)
    features, targets = _seen(boxes, objects), encode_boxes(objects, boxes)
    half = proposals // 2
    use = overlap[:half] >= trained_from
    weights = _ridge(features[:half][use], targets[:half][use])
    predicted = features[half:] @ weights
    error = (predicted - targets[half:]).abs().mean(dim=1)
    after = iou(decode_boxes(predicted, boxes[half:]), objects[half:])
    before = overlap[half:]
    table = []
    for low, high in BANDS:
        band = (before >= low) & (before < high)
        means = (float(values[band].mean()) for values in (error, before, after))
        table.append(ErrorAtIou(low, high, int(band.sum()), *means))
    return table


def _proposals(count: int, seed: int) -> tuple[Float[Tensor, "count 4"], Float[Tensor, "count 4"]]:
    """Proposals and their objects: the object moved by shares of its sides and scaled, by little or by much."""
    generator = torch.Generator().manual_seed(seed)
    middle = 200 + 50 * torch.randn(count, 2, generator=generator, dtype=torch.float64)
    side = 40 + 60 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    spread = 0.5 * torch.rand(count, 1, generator=generator, dtype=torch.float64)
    moved = middle + side * spread * torch.randn(count, 2, generator=generator, dtype=torch.float64)
    scaled = side * (1.5 * spread * torch.randn(count, 2, generator=generator, dtype=torch.float64)).exp()
    return _box(moved, scaled), _box(middle, side)


def _box(middle: Float[Tensor, "count 2"], side: Float[Tensor, "count 2"]) -> Float[Tensor, "count 4"]:
    return torch.cat((middle - side / 2, middle + side / 2), dim=1)


def _seen(boxes: Float[Tensor, "count 4"], objects: Float[Tensor, "count 4"]) -> Float[Tensor, "count features"]:
    """The share of each of a crop's columns and rows that the object takes, and a one for the bias."""
    middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, CONTEXT * (boxes[:, 2:] - boxes[:, :2])
    step = side / CELLS
    start = (middle - side / 2)[:, :, None] + step[:, :, None] * torch.arange(CELLS, dtype=boxes.dtype)
    low = torch.maximum(start, objects[:, :2, None])
    high = torch.minimum(start + step[:, :, None], objects[:, 2:, None])
    share = (high - low).clamp(min=0) / step[:, :, None]
    return torch.cat((share.flatten(1), torch.ones_like(share[:, 0, :1])), dim=1)


def _ridge(
    x: Float[Tensor, "count features"], y: Float[Tensor, "count targets"], penalty: float = 1.0
) -> Float[Tensor, "features targets"]:
    return torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1], dtype=x.dtype), x.T @ y)
