"""Samples with objects for the tests of this folder: rectangles whose masks, boxes and classes are known."""

import numpy as np
from hypothesis import strategies as st

from osler.structures.sample import Objects, Sample


def scene(boxes: list[tuple[int, int, int, int]], height: int = 48, width: int = 64, channels: int = 3) -> Sample:
    """A picture of noise with bright filled rectangles, and their truth; object i has label i + 1."""
    image = np.random.default_rng(0).integers(0, 100, (height, width, channels), np.uint8)
    masks = np.zeros((len(boxes), height, width), np.uint8)
    segmentation = np.zeros((height, width), np.int64)
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        image[y1:y2, x1:x2] = 250
        masks[i, y1:y2, x1:x2] = 1
        segmentation[y1:y2, x1:x2] = i + 1
    labels = np.arange(1, len(boxes) + 1)
    objects = Objects(
        np.array(boxes, np.float32).reshape(-1, 4), labels, masks, crowd=labels % 2 == 0, difficult=labels % 3 == 0
    )
    return Sample(image, target=3, objects=objects, segmentation=segmentation, index=5, path="scene.png")


def frozen(sample: Sample) -> Sample:
    """The same sample, all of whose arrays refuse to be written."""
    objects = sample.objects
    arrays = [sample.image, sample.segmentation]
    arrays += (
        [] if objects is None else [objects.boxes, objects.labels, objects.masks, objects.crowd, objects.difficult]
    )
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
    return sample


@st.composite
def scenes(draw: st.DrawFn, channels: int = 3) -> Sample:
    """Scenes of one to three rectangles of at least three pixels."""
    height, width = draw(st.integers(24, 60)), draw(st.integers(24, 60))
    boxes = []
    for _ in range(draw(st.integers(1, 3))):
        x1, y1 = draw(st.integers(0, width - 4)), draw(st.integers(0, height - 4))
        boxes.append((x1, y1, draw(st.integers(x1 + 3, width)), draw(st.integers(y1 + 3, height))))
    return frozen(scene(boxes, height, width, channels))
