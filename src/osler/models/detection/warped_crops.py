"""Regions of a picture, each warped to a square of its own (Girshick et al. 2014, section 2.1 and appendix A)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SMALLEST = 1.0  # pixels: a region without area is looked at as one pixel


def warped_crops(
    images: Float[Tensor, "batch channels height width"],
    regions: Sequence[Float[Tensor, "_ 4"]],
    side: int,
    context: int = 0,
) -> Float[Tensor, "regions channels side side"]:
    """All regions of all pictures, picture by picture, whatever their shape, in `side` x `side` by bilinear sampling.

    What lies outside the picture is 0, in a standardised picture the mean colour.

    Args:
        images: standardised.
        regions: boxes of each picture in its pixels.
        side: of a crop.
        context: pixels of the crop, at each of its edges, that show what is around the region.
    """
    return torch.cat([_crops(i, boxes, side, context) for i, boxes in zip(images, regions, strict=True)])


def _crops(
    image: Float[Tensor, "channels height width"], boxes: Float[Tensor, "regions 4"], side: int, context: int
) -> Float[Tensor, "regions channels side side"]:
    height, width = image.shape[-2:]
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).clamp(min=SMALLEST)
    reach = size / 2 * (side / (side - 2 * context))
    places = (torch.arange(side, device=boxes.device) + 0.5) / side * 2 - 1  # centres of the crop's pixels, -1 to 1
    x = (middle[:, :1] + reach[:, :1] * places) / width * 2 - 1
    y = (middle[:, 1:] + reach[:, 1:] * places) / height * 2 - 1
    grid = torch.stack((x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)), dim=-1)
    # The crops below one another as one picture, so that the picture is not repeated for each.
    looked = F.grid_sample(image[None], grid.reshape(1, -1, side, 2).to(image.dtype), align_corners=False)
    return looked[0].view(image.shape[0], len(boxes), side, side).transpose(0, 1)
