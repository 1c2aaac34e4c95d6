"""Box formats, and what makes a box a box; in torchvision's signatures, so that only an import need change.

`xyxy`: left, top, right, bottom. `xywh`: left, top, width, height. `cxcywh`: middle x, middle y, width, height. Right
and bottom are exclusive: a box one pixel wide has right - left = 1.
"""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

FORMATS = ("xyxy", "xywh", "cxcywh")
SMALLEST = 1e-3  # pixels: what is cut to less helps nobody, and suppression would leave it, as it overlaps nothing


def box_convert(boxes: Shaped[Tensor, "*boxes 4"], in_fmt: str, out_fmt: str) -> Shaped[Tensor, "*boxes 4"]:
    """Boxes in another format; a copy also where the format stays.

    Args:
        boxes: in pixels, or in shares of the picture; whole numbers with a middle halve downwards.
        in_fmt: `xyxy`, `xywh` or `cxcywh`.
        out_fmt: likewise.

    Raises:
        ValueError: a format is none of these, or the last dimension is not 4.
    """
    for fmt in (in_fmt, out_fmt):
        if fmt not in FORMATS:
            raise ValueError(f"Boxes are {', '.join(FORMATS)}; given: {fmt!r}.")
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"Boxes have 4 numbers in their last dimension; given: {tuple(boxes.shape)}.")
    if in_fmt == out_fmt:
        return boxes.clone()
    return _from_xyxy(_to_xyxy(boxes, in_fmt), out_fmt)


def _halved(length: Tensor) -> Tensor:
    return length / 2 if length.is_floating_point() else length // 2


def _to_xyxy(boxes: Tensor, fmt: str) -> Tensor:
    if fmt == "xyxy":
        return boxes
    x, y, width, height = boxes.unbind(-1)
    if fmt == "cxcywh":
        x, y = x - _halved(width), y - _halved(height)
    return torch.stack((x, y, x + width, y + height), dim=-1)


def _from_xyxy(boxes: Tensor, fmt: str) -> Tensor:
    if fmt == "xyxy":
        return boxes
    x1, y1, x2, y2 = boxes.unbind(-1)
    width, height = x2 - x1, y2 - y1
    if fmt == "cxcywh":
        x1, y1 = x1 + _halved(width), y1 + _halved(height)
    return torch.stack((x1, y1, width, height), dim=-1)


def valid_boxes(boxes: Shaped[Tensor, "*boxes 4"], size: tuple[int, int] | None = None) -> Bool[Tensor, "*boxes"]:
    """Which `xyxy` boxes are finite, have an area, and lie inside a picture of `size` (height, width) where given."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    good = torch.isfinite(boxes).all(-1) & (x2 > x1) & (y2 > y1)
    if size is not None:
        good &= (x1 >= 0) & (y1 >= 0) & (x2 <= size[1]) & (y2 <= size[0])
    return good


def clip_boxes_to_image(boxes: Shaped[Tensor, "*boxes 4"], size: tuple[int, int]) -> Shaped[Tensor, "*boxes 4"]:
    """`xyxy` boxes cut at the edges of a picture of `size` (height, width); one that lies outside becomes empty."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack((x, y), dim=-1).flatten(-2)


def remove_small_boxes(boxes: Shaped[Tensor, "boxes 4"], min_size: float) -> Int[Tensor, " kept"]:
    """The indices of the `xyxy` boxes whose sides are both at least `min_size`."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return (sides >= min_size).all(-1).nonzero().flatten()


def masks_to_boxes(masks: Shaped[Tensor, "masks height width"]) -> Float[Tensor, "masks 4"]:
    """The `xyxy` box around each mask, its right and bottom being the last column and row that the mask touches.

    That is torchvision's convention; add 1 to both for this file's, where they are exclusive. A mask that is nowhere
    gives 0, 0, 0, 0.
    """
    if masks.numel() == 0:
        return masks.new_zeros(len(masks), 4, dtype=torch.float32)
    on = masks != 0
    ends = []
    for line in (on.any(1), on.any(2)):  # over the rows: which columns; over the columns: which rows
        first = line.to(torch.uint8).argmax(1)
        last = line.shape[1] - 1 - line.flip(1).to(torch.uint8).argmax(1)
        ends += [first, last]
    left, right, top, bottom = ends
    boxes = torch.stack((left, top, right, bottom), dim=1).float()
    return boxes * on.flatten(1).any(1, keepdim=True)
