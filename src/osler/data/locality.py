"""Are neighbours alike? Convolutions assume that they are; shuffling the pixels shows what the assumption is worth.

The index is Moran's I (Moran 1950, "Notes on continuous stochastic phenomena") with the four direct neighbours of a
pixel: the mean product of neighbouring deviations from the picture's mean over the mean squared deviation. 1:
neighbours are equal; 0: they tell nothing of each other; negative: they alternate.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

Pictures = UInt8[np.ndarray, "pictures height width channels"] | Float[np.ndarray, "pictures height width channels"]

LOCAL_FROM = 0.3  # index from which neighbours say enough for small kernels; noise is within a few hundredths of 0


@dataclass(frozen=True, slots=True)
class Locality:
    """The neighbour correlation of some pictures, and of the same pictures with their pixels shuffled."""

    index: float
    shuffled: tuple[float, ...]  # one for each shuffling
    p_value: float  # share of shufflings (the pictures as they are among them) with an index at least as high

    @property
    def local(self) -> bool:
        """Whether neighbours are alike, by more than chance and by enough to matter."""
        return self.index >= LOCAL_FROM and self.p_value <= 0.05


def neighbour_correlation(pictures: Pictures) -> float:
    """Moran's I of each picture and channel, averaged. Pictures of one colour are left out; of such alone comes 0."""
    deviation = pictures.astype(np.float64) - pictures.mean((1, 2), keepdims=True, dtype=np.float64)
    _, height, width, _ = pictures.shape
    pairs = height * (width - 1) + width * (height - 1)
    across = (deviation[:, :, 1:] * deviation[:, :, :-1]).sum((1, 2))
    down = (deviation[:, 1:] * deviation[:, :-1]).sum((1, 2))
    spread = np.square(deviation).sum((1, 2)) / (height * width)
    varied = spread > 0
    return float(((across + down)[varied] / pairs / spread[varied]).mean()) if pairs and varied.any() else 0.0


def locality(pictures: Pictures, *, shufflings: int = 39, seed: int = 0) -> Locality:
    """The shuffle test: the index against the same pixels in random places.

    A shuffling puts the pixels of all pictures into one new order, so that what a fully connected network could
    learn is unchanged. 39 shufflings let p fall to 0.025.
    """
    random = np.random.default_rng(seed)
    index = neighbour_correlation(pictures)
    shuffled = tuple(neighbour_correlation(shuffle_pixels(pictures, random)) for _ in range(shufflings))
    p_value = (1 + sum(value >= index for value in shuffled)) / (1 + shufflings)
    return Locality(index, shuffled, p_value)


def shuffle_pixels(pictures: Pictures, random: np.random.Generator) -> Pictures:
    """The pictures with their pixels in one new order, the same for all."""
    count, height, width, channels = pictures.shape
    order = random.permutation(height * width)
    return pictures.reshape(count, -1, channels)[:, order].reshape(pictures.shape)
