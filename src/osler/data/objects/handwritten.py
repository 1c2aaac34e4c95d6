"""The real handwritten digits of scikit-learn (Alpaydin and Kaynak 1998), enlarged smoothly to ink that can be laid on
a picture.

The digits of 8x8 pixels count ink in blocks of a scan; enlarged by cubic interpolation and cut softly at half of the
ink they are strokes again. Each part has digits of its own: of every class the first seven tenths in the file's order
train, the next fifteen hundredths validate, the rest test. The file goes through its writers in order, so that most
test digits are of writers that training has not seen.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Int, UInt8

SIDE = 64  # pixels of an enlarged digit
SHARES = {"train": (0.0, 0.7), "validation": (0.7, 0.85), "test": (0.85, 1.0)}
HALF_INK = 0.42  # of full ink: where strokes end
SOFT = 0.3  # of full ink: over which they end


@dataclass(frozen=True, slots=True)
class Digit:
    """A digit's ink, cropped to its strokes."""

    ink: UInt8[np.ndarray, "height width"]  # 0 to 255
    small: UInt8[np.ndarray, "half_height half_width"]  # the same at half the size, for small digits
    label: int


@lru_cache
def handwritten(part: str) -> tuple[Digit, ...]:
    """The digits of a part (train, validation, test)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    rows = rows_of(bunch.target, part)
    return tuple(_enlarged(bunch.images[row], int(bunch.target[row])) for row in rows.tolist())


def rows_of(labels: Int[np.ndarray, " digits"], part: str) -> Int[np.ndarray, " rows"]:
    """Which of the digits belong to a part: a share of each class, in the file's order."""
    begin, end = SHARES[part]
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        chosen.append(rows[round(begin * len(rows)) : round(end * len(rows))])
    return np.sort(np.concatenate(chosen))


def _enlarged(image: np.ndarray, label: int) -> Digit:
    padded = np.pad((image / 16).astype(np.float32), 1)
    large = cv2.resize(padded, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    ink = np.clip((large - HALF_INK) / SOFT + 0.5, 0, 1)
    rows, columns = np.flatnonzero((ink > 0.5).any(1)), np.flatnonzero((ink > 0.5).any(0))
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pixels = np.round(255 * crop).astype(np.uint8)
    half = (max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
    return Digit(pixels, cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), label)
