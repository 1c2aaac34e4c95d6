"""A picture with words beneath it: what a network answered, and whether that is right.

Right and wrong differ by colour and by a word, so that nobody needs to tell green from red; the two colours are ones
that people with any of the usual colour-vision deficiencies can tell apart (Okabe & Ito 2008).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

Colour = tuple[int, int, int]  # red, green, blue, 0 to 255

RIGHT: Colour = (0, 158, 115)
WRONG: Colour = (213, 94, 0)
PLAIN: Colour = (235, 235, 235)

SHOWN = 192  # pixels that a picture's longer side is enlarged to at least, and the least width of a caption
FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALLEST_TEXT = 0.35  # of the font's own size, below which it cannot be read
MARGIN = 4  # pixels around the text


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a caption."""

    text: str
    colour: Colour = PLAIN


def captioned(
    image: UInt8[np.ndarray, "height width 3"], lines: Sequence[Line]
) -> UInt8[np.ndarray, "drawn_height drawn_width 3"]:
    """The picture, enlarged by a whole factor when small, on top of a dark strip with the lines."""
    picture = _enlarged(image)
    height, width = picture.shape[:2]
    wide = max(width, SHOWN)
    size = _text_size([line.text for line in lines], wide - 2 * MARGIN, largest=float(np.clip(wide / 600, 0.45, 1.2)))
    step = round(30 * size) + MARGIN
    canvas = np.full((height + step * len(lines) + MARGIN, wide, 3), 24, np.uint8)
    left = (wide - width) // 2
    canvas[:height, left : left + width] = picture
    for number, line in enumerate(lines, 1):
        text = _shortened(line.text, wide - 2 * MARGIN, size)
        place = (MARGIN, height + step * number - MARGIN)
        cv2.putText(canvas, text, place, FONT, size, line.colour, 1, cv2.LINE_AA)
    return canvas


def _enlarged(image: np.ndarray) -> np.ndarray:
    """In colour, every pixel a square block of pixels until the longer side suffices."""
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    factor = max(1, -(-SHOWN // max(image.shape[:2])))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _text_size(texts: Sequence[str], room: int, largest: float) -> float:
    """The size, `largest` at most, at which the widest text fits into `room` pixels, if it can still be read."""
    widest = max((cv2.getTextSize(t, FONT, largest, 1)[0][0] for t in texts), default=0)
    return max(SMALLEST_TEXT, largest * min(1.0, room / max(1, widest)))


def _shortened(text: str, room: int, size: float) -> str:
    """`text`, or as much of its beginning as fits, with dots."""
    shown = text
    while shown and cv2.getTextSize(shown, FONT, size, 1)[0][0] > room:
        text = text[:-1]
        shown = text + "..." if text else ""
    return shown
