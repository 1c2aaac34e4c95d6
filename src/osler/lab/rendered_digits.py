"""Digits drawn in OpenCV's fonts, as a source from which a network can be carried over to handwritten ones."""

from functools import cache

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
SIGNS = ("O", "1", "2", "3", "4", "5", "6", "7", "8", "9")  # the fonts cross their zero out, which a hand does not


@cache
def rendered_digits(count: int = 2000, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """`count` drawn digits as rows of 64 values in [-1, 1] (as `digits` has them), and their classes in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    pictures = np.stack([_draw(SIGNS[label], rng) for label in labels])
    return torch.from_numpy(pictures.reshape(count, 64).astype(np.float32) / 127.5 - 1), torch.from_numpy(labels)


def _draw(sign: str, rng: np.random.Generator) -> UInt8[np.ndarray, "8 8"]:
    """One digit in a random font, thickness, slant and turn; its ink is narrowed as a hand's is and shrunk to 8x8."""
    canvas: np.ndarray = np.zeros((96, 96), np.uint8)
    font, thickness = FONTS[rng.integers(len(FONTS))], int(rng.integers(3, 8))
    cv2.putText(canvas, sign, (28, 68), font, 2.0, 255, thickness, cv2.LINE_AA)
    turn, slant = rng.uniform(-0.2, 0.2), rng.uniform(-0.4, 0.2)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array([[1, slant], [0, 1]])
    middle = np.array([48.0, 48.0])
    canvas = cv2.warpAffine(canvas, np.column_stack([linear, middle - linear @ middle]), (96, 96))
    x, y, width, height = cv2.boundingRect(canvas)
    narrow = round(64 * rng.uniform(0.45, 0.75) * min(1.0, 1.6 * width / height))
    ink = cv2.resize(canvas[y : y + height, x : x + width], (narrow, 64), interpolation=cv2.INTER_AREA)
    page = np.zeros((64, 64), np.uint8)
    left = int(rng.integers(28, 36)) - narrow // 2
    left = min(max(left, 0), 64 - narrow)
    page[:, left : left + narrow] = ink
    return cv2.resize(page, (8, 8), interpolation=cv2.INTER_AREA)
