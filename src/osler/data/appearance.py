"""What the pictures of a set look like from outside: grey or colour, and how large."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from osler.data.arrays import ArrayDataSet
from osler.data.source import DataSet
from osler.imaging.header import UnreadableError

LOOKED_AT = 64  # pictures: enough for a median size, few enough to decode in a moment


@dataclass(frozen=True, slots=True)
class Appearance:
    """Channels and sizes of a sample of pictures."""

    channels: Literal[1, 3]
    typical_size: tuple[int, int]  # median height and width
    uniform: bool  # all looked at have the typical size
    seen: int


def look(dataset: DataSet) -> Appearance | None:
    """How the pictures of a set look, by up to 64 of them, evenly spaced; None where none of these can be read."""
    if isinstance(dataset, ArrayDataSet):
        _, height, width, channels = dataset.images.shape
        return Appearance(1 if channels == 1 else 3, (height, width), True, len(dataset))
    images = []
    for row in np.unique(np.linspace(0, len(dataset) - 1, min(LOOKED_AT, len(dataset))).astype(int)).tolist():
        try:
            images.append(dataset[row].image)
        except UnreadableError:  # the audit and the loader name them
            continue
    if not images:
        return None
    sizes = np.array([image.shape[:2] for image in images])
    height, width = np.median(sizes, axis=0).round().astype(int).tolist()
    return Appearance(1 if all(map(grey, images)) else 3, (height, width), bool((sizes == sizes[0]).all()), len(images))


def grey(image: UInt8[np.ndarray, "height width channels"]) -> bool:
    """Whether all channels are equal everywhere."""
    return bool((image == image[..., :1]).all())
