"""FCOS's matching: no anchors, but points; a point inside an object answers for it (Tian et al. 2019)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from osler.ops.box_coding import encode_distances
from osler.ops.matching import NEGATIVE, Boxes, Flags, Matches, Points, ignore_points, points_inside

Range = tuple[float, float]
FCOS_RANGES: tuple[Range, ...] = ((0, 64), (64, 128), (128, 256), (256, 512), (512, torch.inf))  # section 3.2


def center_match(
    points: Sequence[Points],
    strides: Sequence[float],
    boxes: Boxes,
    *,
    ranges: Sequence[Range] = FCOS_RANGES,
    radius: float | None = 1.5,
    flagged: Flags | None = None,
) -> Matches:
    """Each point's object, level after level.

    A point answers for an object that it lies in and whose farthest edge is as far from it as its level is meant for; of
    several such objects for the smallest. Points inside a flagged object that answer for none are ignored.

    Args:
        points: for each level its points x, y in pixels.
        strides: of the levels.
        boxes: of the objects; there may be none.
        ranges: for each level the least and the greatest distance from a point to the farthest of an object's four edges.
        radius: how many strides from an object's middle, along either axis, a point may lie at most (centre sampling, from
            the authors' later code); `None` takes the whole object, as published.
        flagged: objects that are neither to be found nor to be background.

    Raises:
        ValueError: points, strides and ranges are not as many.
    """
    if not len(points) == len(strides) == len(ranges):
        raise ValueError(
            "Centre matching needs points, a stride and a range for each level; given: "
            f"{len(points)} levels of points, {len(strides)} strides, {len(ranges)} ranges."
        )
    every = torch.cat(list(points))
    if len(boxes) == 0:
        return torch.full((len(every),), NEGATIVE, device=every.device)
    counts = torch.tensor([len(level) for level in points], device=every.device)
    low, high = every.new_tensor(list(ranges)).repeat_interleave(counts, dim=0).unbind(dim=1)
    farthest = encode_distances(boxes[:, None], every[None]).amax(dim=-1)
    inside = points_inside(every, boxes)
    wanted = inside & (farthest >= low) & (farthest <= high)
    if radius is not None:
        reach = radius * every.new_tensor(list(strides)).repeat_interleave(counts)
        from_middle = (every[None] - ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]).abs().amax(dim=-1)
        wanted &= from_middle < reach
    if flagged is not None:
        wanted &= ~flagged[:, None]
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1)
    smallest, index = torch.where(wanted, area[:, None], torch.inf).min(dim=0)
    matches = torch.where(torch.isfinite(smallest), index, NEGATIVE)
    return ignore_points(matches, every, boxes, flagged)


def centerness(points: Float[Tensor, "points 2"], boxes: Float[Tensor, "points 4"]) -> Float[Tensor, " points"]:
    """How central a point lies in its box: sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)), 1 in the middle, 0 on an edge
    and outside (Tian et al. 2019, eq. 3).
    """
    left, top, right, bottom = encode_distances(boxes, points).clamp(min=0).unbind(-1)
    tiny = torch.finfo(boxes.dtype).tiny
    across = torch.minimum(left, right) / torch.maximum(left, right).clamp(min=tiny)
    down = torch.minimum(top, bottom) / torch.maximum(top, bottom).clamp(min=tiny)
    return (across * down).sqrt()
