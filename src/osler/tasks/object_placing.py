"""What was found in a network's input, brought back into the picture from which the input was made."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from osler.imaging.fit import Placement
from osler.structures.detections import Detections


def place_in_picture(found: Detections, placement: Placement) -> Detections:
    """What was found, in pixels of the picture and cut off at its edges; what lay in the border alone is left out.

    A mask is a grid over its box: where the box is cut, so is the grid.
    """
    (sx, sy), (ox, oy) = placement.scale, placement.offset
    whole = (found.boxes.numpy() - np.array([ox, oy, ox, oy])) / np.array([sx, sy, sx, sy])
    cut = placement.to_picture(found.boxes.numpy())
    masks = found.masks
    if masks is not None:
        masks = masks.clone()
        for row in np.flatnonzero((np.abs(whole - cut) > 1e-3).any(axis=1)):
            masks[row] = _cut_mask(masks[row], whole[row], cut[row])
    placed = replace(found, boxes=torch.from_numpy(cut.astype(np.float32)), masks=masks)
    return placed.select(torch.from_numpy((cut[:, 2:] > cut[:, :2]).all(axis=1)))


def _cut_mask(
    mask: Float[Tensor, "side side"], whole: Float[np.ndarray, " 4"], cut: Float[np.ndarray, " 4"]
) -> Float[Tensor, "side side"]:
    """The part of a box's mask that lies over a part of the box, as a grid of the same side; read bilinearly."""
    side = mask.shape[0]
    middles = (np.arange(side) + 0.5) / side
    points = cut[:2] + middles[:, None] * (cut[2:] - cut[:2])  # x, y of the new cells' middles
    grid = ((points - whole[:2]) / (whole[2:] - whole[:2]) * side - 0.5).astype(np.float32)
    x, y = np.meshgrid(grid[:, 0], grid[:, 1])
    return torch.from_numpy(cv2.remap(mask.numpy(), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
