"""Boxes, masks and names drawn on a picture: what was found and what is true.

Classes differ by colour and by the word beside the box; what was found has a full line, the truth a dashed one, so that
nobody needs to tell colours apart.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from osler.ops.box_overlap import iou, pairwise
from osler.structures.detections import Detections, TrueObjects
from osler.tasks.caption import FONT, Colour

# Okabe & Ito (2008): eight colours that people with any of the usual colour-vision deficiencies can tell apart.
COLOURS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
TRUTH: Colour = (255, 255, 255)
SMALLEST = 320  # pixels that a picture's longer side is enlarged to at least
DASH = 6  # pixels of a dash, and of the gap after it
OPACITY = 0.45  # of a mask

Image = UInt8[np.ndarray, "height width 3"]


def draw_objects(image: Image, found: Detections | None, truth: TrueObjects | None, names: Sequence[str]) -> Image:
    """The picture, enlarged by a whole factor when small, with boxes, masks and class names on it.

    Args:
        image: in which boxes are pixels.
        found: full lines, the class and the score beside them, and where the truth is known the greatest IoU with an object.
        truth: dashed lines, white and black; the class beside them where nothing else is drawn.
        names: of the classes.
    """
    factor = max(1, -(-SMALLEST // max(image.shape[:2])))
    canvas = np.ascontiguousarray(image.repeat(factor, axis=0).repeat(factor, axis=1))
    if truth is not None:
        for row in range(len(truth)):
            word = "" if found is not None else names[int(truth.labels[row])]
            word = f"({word})" if word and bool(truth.ignored[row]) else word
            _dashed(canvas, truth.boxes[row].cpu().numpy() * factor)
            _name(canvas, truth.boxes[row].cpu().numpy() * factor, word, TRUTH)
    if found is not None:
        words = words_beside(found, truth, names)
        for row in reversed(range(len(found))):  # the surest on top
            _found(canvas, found, row, factor, words[row])
    return canvas


def words_beside(found: Detections, truth: TrueObjects | None, names: Sequence[str]) -> list[str]:
    """What is written beside each box: class, score, and where it overlaps a true object the IoU with the nearest."""
    words = [
        f"{names[label]} {score:.2f}" for label, score in zip(found.labels.tolist(), found.scores.tolist(), strict=True)
    ]
    if truth is None or not len(truth):
        return words
    overlaps = pairwise(iou, found.boxes, truth.boxes).amax(dim=1).tolist()
    return [f"{word}, IoU {value:.2f}" if value > 0 else word for word, value in zip(words, overlaps, strict=True)]


def _found(canvas: Image, found: Detections, row: int, factor: int, words: str) -> None:
    label, box = int(found.labels[row]), found.boxes[row].cpu().numpy() * factor
    colour = COLOURS[label % len(COLOURS)]
    if found.masks is not None:
        _tint(canvas, found.masks[row].cpu().numpy(), box, colour)
    x1, y1, x2, y2 = np.round(box).astype(int)
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, 2)
    _name(canvas, box, words, colour)


def _tint(canvas: Image, mask: Float[np.ndarray, "side side"], box: Float[np.ndarray, " 4"], colour: Colour) -> None:
    """Colours the pixels under a mask that lies as a grid over the box."""
    height, width = canvas.shape[:2]
    x1, y1, x2, y2 = np.round(box).astype(int)
    if x2 <= x1 or y2 <= y1:
        return
    full = cv2.resize(mask.astype(np.float32), (x2 - x1, y2 - y1)) > 0.5
    left, top, right, bottom = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
    if right <= left or bottom <= top:
        return
    seen = full[top - y1 : bottom - y1, left - x1 : right - x1]
    window = canvas[top:bottom, left:right]
    window[seen] = (window[seen] * (1 - OPACITY) + np.array(colour) * OPACITY).astype(np.uint8)


def _dashed(canvas: Image, box: Float[np.ndarray, " 4"]) -> None:
    x1, y1, x2, y2 = np.round(box).astype(int)
    cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), (0, 0, 0), 1)  # seen between the dashes, on white ground too
    for x in range(x1, x2, 2 * DASH):
        for y in (y1, y2 - 1):
            cv2.line(canvas, (x, y), (min(x + DASH, x2 - 1), y), TRUTH, 1)
    for y in range(y1, y2, 2 * DASH):
        for x in (x1, x2 - 1):
            cv2.line(canvas, (x, y), (x, min(y + DASH, y2 - 1)), TRUTH, 1)


def _name(canvas: Image, box: Float[np.ndarray, " 4"], text: str, colour: Colour) -> None:
    """The words on a patch of the colour, above the box or inside where there is no room above."""
    if not text:
        return
    size = float(np.clip(max(canvas.shape[:2]) / 1200, 0.4, 1.0))
    (wide, tall), below = cv2.getTextSize(text, FONT, size, 1)
    x, y = round(float(box[0])), round(float(box[1]))
    x = int(np.clip(x, 0, max(0, canvas.shape[1] - wide - 2)))
    top = y - tall - below - 2 if y >= tall + below + 2 else max(0, y)
    cv2.rectangle(canvas, (x, top), (x + wide + 2, top + tall + below + 2), colour, -1)
    ink = (0, 0, 0) if sum(colour) > 330 else (255, 255, 255)
    cv2.putText(canvas, text, (x + 1, top + tall + 1), FONT, size, ink, 1, cv2.LINE_AA)
