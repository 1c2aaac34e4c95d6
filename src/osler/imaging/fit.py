"""Bringing any picture to the size and channels that a network takes, and its boxes back again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from osler.imaging.colour import to_channels
from osler.imaging.decode import EncodedPicture, Window, aligned, reduction
from osler.imaging.geometry import clip_boxes, cut_truth, pad_truth, resize_truth, scale_boxes
from osler.imaging.resize import resize
from osler.structures.preprocessing import Preprocessing
from osler.structures.sample import Sample


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in the network's input: a point x, y of it lies at x, y times `scale` plus `offset`."""

    height: int  # of the picture, in pixels
    width: int
    scale: tuple[float, float]  # x, y
    offset: tuple[float, float]  # x, y, in pixels of the input

    def to_input(self, boxes: Float[np.ndarray, "objects 4"]) -> Float[np.ndarray, "objects 4"]:
        """Boxes of the picture in pixels of the network's input, not clipped."""
        return scale_boxes(boxes, self.scale, self.offset)

    def to_picture(self, boxes: Float[np.ndarray, "objects 4"]) -> Float[np.ndarray, "objects 4"]:
        """Boxes that a network found in its input, in pixels of the picture, clipped to it."""
        (sx, sy), (ox, oy) = self.scale, self.offset
        return clip_boxes(scale_boxes(boxes, (1 / sx, 1 / sy), (-ox / sx, -oy / sy)), self.height, self.width)


@dataclass(frozen=True, slots=True)
class _Plan:
    window: Window  # of the picture
    inner: tuple[int, int]  # height, width of the window in the input
    top: int
    left: int


@dataclass(frozen=True)
class FitTo:
    """A decoded picture becomes the network's input, without chance: what evaluation, prediction and exports do.

    `stretch` resizes both sides; `crop` resizes the short side to `size / crop_fraction` and takes the middle; `pad`
    (letter-box) resizes the long side and lays the picture in the middle of the mean colour, which standardises to 0.
    Where a JPEG could be decoded at a half or less, the last pixels that fill no whole pixel of the smaller picture are
    left off, also when it comes decoded: less than one pixel of the input.
    """

    preprocessing: Preprocessing

    def __call__(self, sample: Sample, rng: np.random.Generator | None = None) -> Sample:
        """The sample as the network's input."""
        height, width, channels = sample.image.shape
        if (height, width) == self.preprocessing.size and self.preprocessing.crop_fraction == 1:
            if channels == self.preprocessing.channels:
                return sample
            return sample.with_image(to_channels(sample.image, self.preprocessing.channels))
        plan = self._plan(height, width)
        x1, y1, x2, y2 = plan.window
        return self._finish(sample, sample.image[y1:y2, x1:x2], plan)

    def open(self, picture: EncodedPicture, sample: Sample, rng: np.random.Generator | None = None) -> Sample:
        """The same from a file, decoding only what is needed (see `open_sample`)."""
        plan = self._plan(picture.height, picture.width)
        x1, y1, x2, y2 = plan.window
        return self._finish(sample, picture.read(plan.window, picture.step((y2 - y1, x2 - x1), plan.inner)), plan)

    def place(self, height: int, width: int) -> Placement:
        """Where a picture of that size lies in the input."""
        plan = self._plan(height, width)
        x1, y1, x2, y2 = plan.window
        sx, sy = plan.inner[1] / (x2 - x1), plan.inner[0] / (y2 - y1)
        return Placement(height, width, (sx, sy), (plan.left - x1 * sx, plan.top - y1 * sy))

    def _plan(self, height: int, width: int) -> _Plan:
        tall, wide = self.preprocessing.size
        window, inner = (0, 0, width, height), (tall, wide)
        if self.preprocessing.fit == "crop":
            scale = max(tall / height, wide / width) / self.preprocessing.crop_fraction
            window = centred(height, width, round(tall / scale), round(wide / scale))
        elif self.preprocessing.fit == "pad":
            scale = min(tall / height, wide / width)
            inner = min(tall, max(1, round(height * scale))), min(wide, max(1, round(width * scale)))
        step = reduction((window[3] - window[1], window[2] - window[0]), inner)
        return _Plan(aligned(window, step), inner, (tall - inner[0]) // 2, (wide - inner[1]) // 2)

    def _finish(self, sample: Sample, pixels: UInt8[np.ndarray, "height width channels"], plan: _Plan) -> Sample:
        tall, wide = self.preprocessing.size
        image = resize(to_channels(pixels, self.preprocessing.channels), plan.inner)
        sample = resize_truth(cut_truth(sample, plan.window), image)
        if plan.inner == (tall, wide):
            return sample
        right, bottom = wide - plan.inner[1] - plan.left, tall - plan.inner[0] - plan.top
        return pad_truth(
            sample, border(image, plan.top, bottom, plan.left, right, self._mean_colour()), plan.top, plan.left
        )

    def _mean_colour(self) -> tuple[int, ...]:
        return tuple(min(255, max(0, round(255 * m))) for m in self.preprocessing.mean)


def centred(height: int, width: int, tall: int, wide: int) -> Window:
    """A window of (at most) `tall` x `wide` in the middle of a picture."""
    tall, wide = min(height, max(1, tall)), min(width, max(1, wide))
    top, left = (height - tall) // 2, (width - wide) // 2
    return left, top, left + wide, top + tall


def border(
    image: UInt8[np.ndarray, "height width channels"],
    top: int,
    bottom: int,
    left: int,
    right: int,
    fill: Sequence[int] | Literal["reflect"],
) -> UInt8[np.ndarray, "padded_height padded_width channels"]:
    """The picture with rows and columns added around it: of one colour, or mirrored (without the edge pixel twice)."""
    if fill == "reflect":
        padded = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    else:
        value = [float(v) for v in fill]
        padded = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value)
    return padded if padded.ndim == 3 else padded[:, :, None]
