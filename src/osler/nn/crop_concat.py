"""Maps of two sizes put together: the larger is cut to the smaller (Ronneberger, Fischer, Brox 2015, "U-Net", figure 1)."""

import torch
from jaxtyping import Float
from torch import Tensor

from osler.structures.errors import RecipeError


def centre_crop(
    x: Float[Tensor, "batch channels height width"], size: tuple[int, int]
) -> Float[Tensor, "batch channels tall wide"]:
    """The middle of a map; where the margin is odd, the smaller part of it is cut before.

    Raises:
        RecipeError: the map is smaller than `size`.
    """
    (height, width), (tall, wide) = x.shape[2:], size
    if tall > height or wide > width:
        raise RecipeError(f"A map of {height}x{width} cannot be cut to {tall}x{wide}.")
    top, left = (height - tall) // 2, (width - wide) // 2
    return x[:, :, top : top + tall, left : left + wide]


def crop_concat(
    early: Float[Tensor, "batch channels height width"], late: Float[Tensor, "batch others tall wide"]
) -> Float[Tensor, "batch sum tall wide"]:
    """The early map, cut to the late one's size, before the late one along the channels.

    Convolutions without padding lose the border on their way down and up, so that the early map is the larger.

    Raises:
        RecipeError: the early map is the smaller.
    """
    return torch.cat([centre_crop(early, (late.shape[2], late.shape[3])), late], dim=1)
