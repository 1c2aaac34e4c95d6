"""A Sample: one picture with all that is known about it, before it joins a Batch."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8


@dataclass(slots=True)
class Objects:
    """The things in a picture, one row each. Boxes are x1, y1, x2, y2 in pixels, x2 and y2 exclusive."""

    boxes: Float[np.ndarray, "objects 4"]
    labels: Int[np.ndarray, " objects"]
    masks: UInt8[np.ndarray, "objects height width"] | None = None  # 0 or 1
    crowd: Bool[np.ndarray, " objects"] | None = None
    difficult: Bool[np.ndarray, " objects"] | None = None
    areas: Float[np.ndarray, " objects"] | None = None  # in pixels of the picture it came from, where annotated

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def ignored(self) -> Bool[np.ndarray, " objects"]:
        """Which are crowds or difficult: neither to be found nor to be background."""
        flags = [each.astype(bool) for each in (self.crowd, self.difficult) if each is not None]
        return np.logical_or.reduce([np.zeros(len(self), bool), *flags])

    def select(self, keep: Bool[np.ndarray, " objects"] | Int[np.ndarray, " kept"]) -> "Objects":
        """The objects that `keep` picks (a mask or indices), with all their attributes."""
        rows = {n: getattr(self, n) for n in ("masks", "crowd", "difficult", "areas")}
        chosen = {n: None if v is None else v[keep] for n, v in rows.items()}
        return Objects(self.boxes[keep], self.labels[keep], **chosen)


@dataclass(slots=True)
class Sample:
    """One picture and its truth. Transforms take one and return another; what is geometric moves with the picture."""

    image: UInt8[np.ndarray, "height width channels"]  # RGB or grey, 0 to 255
    target: Any = None  # what the task predicts: a class index, a vector of labels, numbers
    objects: Objects | None = None
    segmentation: Int[np.ndarray, "height width"] | None = None  # class of each pixel
    index: int = -1  # position in its data set
    path: str = ""  # where it came from, for the person
    scale: tuple[float, float] = (1.0, 1.0)  # x, y: pixels of the image for a pixel of the picture it came from

    def with_image(self, image: UInt8[np.ndarray, "height width channels"]) -> "Sample":
        """The same sample with other pixels (no geometry changed)."""
        return replace(self, image=image)
