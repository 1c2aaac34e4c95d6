"""AlexNet's colour noise: light changed along the directions in which colours vary (Krizhevsky et al. 2012, 4.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from jaxtyping import UInt8

from osler.imaging.transform import batch_transforms
from osler.structures.batch import Batch

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ColourComponents:
    """Eigenvalues (largest first) of the 3 x 3 covariance of RGB pixels in [0, 1], and the eigenvectors (one a row)."""

    values: Triple
    vectors: tuple[Triple, Triple, Triple]


# ImageNet's, as published with facebookarchive/fb.resnet.torch (datasets/imagenet.lua).
IMAGENET_COLOURS = ColourComponents(
    (0.2175, 0.0188, 0.0045),
    ((-0.5675, -0.5808, -0.5836), (0.7192, -0.0045, -0.6948), (0.4009, -0.8140, 0.4203)),
)


def colour_components(images: Iterable[UInt8[np.ndarray, "height width 3"]]) -> ColourComponents:
    """The colour components of some pictures; each pixel counts once.

    Raises:
        ValueError: there are fewer than two pixels, or a picture is not RGB.
    """
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for image in images:
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"Colour components need RGB pictures; one here is {image.shape}.")
        pixels = image.reshape(-1, 3).astype(np.float64) / 255
        count, total, products = count + len(pixels), total + pixels.sum(0), products + pixels.T @ pixels
    if count < 2:
        raise ValueError("Colour components need at least two pixels.")
    mean = total / count
    values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
    first, second, third = ((float(r), float(g), float(b)) for r, g, b in vectors.T[::-1])
    large, middle, small = (max(0.0, float(v)) for v in values[::-1])
    return ColourComponents((large, middle, small), (first, second, third))


@batch_transforms.register("pca_noise")
@dataclass(frozen=True)
class PCANoise:
    """Adds the sum of alpha_i * value_i * vector_i to every pixel of a picture; alpha_i is normal, one draw a picture.

    Pictures arrive standardised, so the sum (in [0, 1] of full scale) is divided by `std`, what each channel was
    divided by.
    """

    spread: Annotated[float, Ge(0)] = 0.1  # standard deviation of each alpha
    components: ColourComponents = IMAGENET_COLOURS
    std: Triple = (0.5, 0.5, 0.5)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch in other light."""
        alpha = self.spread * torch.randn(len(batch), 3, generator=generator)
        moves = (alpha * torch.tensor(self.components.values)) @ torch.tensor(self.components.vectors)
        moves = (moves / torch.tensor(self.std)).to(batch.images.device, batch.images.dtype, non_blocking=True)
        return replace(batch, images=batch.images + moves[:, :, None, None])
