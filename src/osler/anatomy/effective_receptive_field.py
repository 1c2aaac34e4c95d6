"""How much a position looks at each pixel: far from evenly.

So Luo, Li, Urtasun and Zemel 2016 ("Understanding the effective receptive field in deep convolutional neural networks").

Of all pixels that could matter those in the middle lie on far more paths; the influence falls off like a bell, and the part that
counts grows with the root of the depth only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from osler.anatomy.measured_receptive_field import run_to
from osler.anatomy.stand_in import stand_in
from osler.structures.errors import RecipeError

COUNTS = 1 - 0.9545  # of the largest influence; the paper's section 2.3 takes two standard deviations of a bell


@dataclass(frozen=True, slots=True)
class EffectiveField:
    """The influence of each pixel, the largest 1, and the side of a square as large as the pixels that count."""

    influence: Float[Tensor, "height width"]
    side: float


def effective_receptive_field(
    model: nn.Module,
    layer: str,
    size: Sequence[int],
    *,
    channels: int = 3,
    pictures: int = 4,
    seed: int = 0,
) -> EffectiveField:
    """The gradient's size at each pixel, of the middle position of a layer's map, over pictures of noise.

    The network is as it is: with its weights, activations and gates, in evaluation mode; it stays so.

    Args:
        model: with numbers.
        layer: the dotted name of a module whose output is a map.
        size: height and width of the pictures.
        channels: of the pictures.
        pictures: over how many the gradient's absolute value is averaged.
        seed: of the noise.

    Raises:
        RecipeError: the network has no such module or no numbers, or the position does not depend on the picture.
    """
    if any(p.is_meta for p in model.parameters()):
        raise RecipeError(
            "An effective receptive field is that of trained or drawn weights: this network has no numbers."
        )
    made = stand_in(model, real=True)
    parameter = next(made.parameters(), torch.empty(0))
    noise = torch.randn(pictures, channels, *size, generator=torch.Generator().manual_seed(seed))
    images = noise.to(parameter).requires_grad_()
    output = run_to(made, layer, images)
    rows, columns = output.shape[2:]
    (gradient,) = torch.autograd.grad(output[:, :, rows // 2, columns // 2].sum(), images)
    influence = gradient.abs().mean(dim=(0, 1))
    largest = float(influence.max())
    if largest == 0.0:
        raise RecipeError(f"The middle of {layer} does not depend on the picture: its gradient is zero everywhere.")
    influence = influence / largest
    return EffectiveField(influence, sqrt(int((influence > COUNTS).sum())))
