"""The outline of an object's mask, as polygons for a file."""

import numpy as np
from jaxtyping import Float

from osler.data.objects.outlines import trace
from osler.metrics.detection import paste_mask


def outline_of(mask: Float[np.ndarray, "side side"], box: Float[np.ndarray, " 4"]) -> list[list[float]]:
    """Polygons around the pixels where a mask, which lies as a grid over its box, is likely: x and y in turn.

    They run along the edges of pixels, in the pixels of the box; none for a mask that is likely nowhere.
    """
    corner = np.floor(box[:2])
    right, bottom = np.ceil(box[2:] - corner).astype(int).tolist()
    window = paste_mask(mask, box - np.tile(corner, 2), (max(1, bottom), max(1, right)))
    traced = trace(window)
    return [] if traced is None else [(ring + corner).ravel().tolist() for ring in traced.rings]
