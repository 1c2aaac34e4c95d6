"""From a file to pixels: `read_image`, and `EncodedPicture` for who needs only a part of a picture, or a small one.

What comes out is always uint8, height x width x channels, RGB or grey, upright. Transparent pixels are laid on white
(most pictures with transparency are drawings made for white pages), 16 bits are scaled to 8, palettes are looked up,
inks become light, and of several pages or frames the first is taken. Sizes are read from the header before anything is
decoded, so that a decompression bomb costs nothing. JPEG, where most pictures lie, is decoded at a half, a quarter or
an eighth of its size where the use is that much smaller (the transform's low frequencies alone are inverted), and no
further down than the window asked for. That is simplejpeg's work, a thin way to libjpeg-turbo with the same pixels as
OpenCV's in a tenth to two fifths less time (docs/decisions/0005-jpeg-decoding.md); OpenCV decodes all the rest.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import simplejpeg
from jaxtyping import UInt8, UInt16

from osler.imaging.header import Header, UnreadableError, read_header
from osler.imaging.header import image_size as image_size

MAX_PIXELS = 178_956_970  # 512 MiB of RGB; the limit that Pillow's users know
Window = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels; x2 and y2 exclusive
Step = Literal[1, 2, 4, 8]
_REDUCED = {
    (3, 1): cv2.IMREAD_COLOR,
    (3, 2): cv2.IMREAD_REDUCED_COLOR_2,
    (3, 4): cv2.IMREAD_REDUCED_COLOR_4,
    (3, 8): cv2.IMREAD_REDUCED_COLOR_8,
    (1, 1): cv2.IMREAD_GRAYSCALE,
    (1, 2): cv2.IMREAD_REDUCED_GRAYSCALE_2,
    (1, 4): cv2.IMREAD_REDUCED_GRAYSCALE_4,
    (1, 8): cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def read_image(
    path: str | Path,
    *,
    channels: Literal[1, 3] = 3,
    at_least: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> UInt8[np.ndarray, "height width channels"]:
    """The picture in a file.

    Args:
        path: any path, also one with characters beyond ASCII.
        channels: 3 for RGB, 1 for grey.
        at_least: height and width to which it will be brought; a JPEG may then come at a half, a quarter or an eighth
            of its size (without the last pixels that fill no whole one), but no smaller than that, and larger by a
            margin that keeps the antialiased result within 35 dB of the full way's.
        max_pixels: more than so many are refused, from the header.

    Raises:
        UnreadableError: the file is missing, empty, no picture, cut short, damaged, or larger than `max_pixels`.
    """
    picture = EncodedPicture.open(path, channels=channels, max_pixels=max_pixels)
    if at_least is None:
        return picture.read()
    step = picture.step((picture.height, picture.width), at_least)
    return picture.read(aligned((0, 0, picture.width, picture.height), step), step)


def reduction(size: tuple[int, int], at_least: tuple[int, int], margin: float = 1.0) -> Step:
    """The largest of 1, 2, 4, 8 by which `size` (height, width) can be divided and keep `margin` times `at_least`."""
    room = min(s / (margin * max(1, a)) for s, a in zip(size, at_least, strict=True))
    return 8 if room >= 8 else 4 if room >= 4 else 2 if room >= 2 else 1


def aligned(window: Window, step: int) -> Window:
    """The window with its corners moved to the nearest multiples of `step` that leave it whole."""
    if step == 1:
        return window
    x1, y1 = window[0] // step * step, window[1] // step * step
    return x1, y1, max(x1 + step, window[2] // step * step), max(y1 + step, window[3] // step * step)


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A picture file that has been read and looked at, and not yet decoded."""

    name: str
    data: bytes
    header: Header
    channels: Literal[1, 3] = 3

    @classmethod
    def open(cls, path: str | Path, *, channels: Literal[1, 3] = 3, max_pixels: int = MAX_PIXELS) -> "EncodedPicture":
        """The picture file at `path`; raises as `read_image` does, except for damage within the pixels."""
        try:
            with open(path, "rb", buffering=0) as file:
                data = file.read()
        except OSError as error:
            raise UnreadableError(f"{path} cannot be opened: {error.strerror or error}.") from None
        return cls.of(data, name=str(path), channels=channels, max_pixels=max_pixels)

    @classmethod
    def of(
        cls, data: bytes, *, name: str = "The picture", channels: Literal[1, 3] = 3, max_pixels: int = MAX_PIXELS
    ) -> "EncodedPicture":
        """The same from bytes in memory."""
        header = read_header(data, name)
        if header.height * header.width > max_pixels:
            raise UnreadableError(
                f"{name} claims {header.height:,} x {header.width:,} pixels, more than the {max_pixels:,} that are "
                "allowed (a decompression bomb?): make it smaller, or leave it out."
            )
        return cls(name, data, header, channels)

    @property
    def height(self) -> int:
        """Of the upright picture, in pixels."""
        return self.header.upright[0]

    @property
    def width(self) -> int:
        """Of the upright picture, in pixels."""
        return self.header.upright[1]

    def read(self, window: Window | None = None, step: Step = 1) -> UInt8[np.ndarray, "height width channels"]:
        """The pixels inside `window` (None: all), at 1 / `step` of their size.

        Args:
            window: in pixels of the whole upright picture, its corners multiples of `step`.
            step: 1, or what `self.step` allows; only a JPEG can be reduced, others come at their own size.

        Raises:
            UnreadableError: the file is cut short or damaged.
        """
        if self.header.format == "JPEG":
            image = self._jpeg(window, step)
        else:
            step = 1
            image = _eight_bit_rgb(self._decoded(_whole(self), cv2.IMREAD_UNCHANGED), self)
            image = image if self.header.format == "TIFF" else upright(image, self.header.orientation)
        if window is not None:
            x1, y1, x2, y2 = (v // step for v in window)
            image = image[y1:y2, x1:x2]
        return image if image.ndim == 3 else image[:, :, None]

    def step(self, size: tuple[int, int], at_least: tuple[int, int]) -> Step:
        """By how much a part of that size (height, width) may be reduced for who will bring it to `at_least`.

        A reduced JPEG lacks what lies above its own grid's frequencies, so it must stay larger than the target, and the
        more so the more detail there is, which its bits per pixel tell. Over 430 photographs (ImageNet, COCO, BSDS,
        microscope) of 0.3 to 9 bits, halved or quartered, these margins kept every antialiased result within 35 dB.
        """
        if self.header.format != "JPEG":
            return 1
        bits = 8 * len(self.data) / (self.header.height * self.header.width)
        return reduction(size, at_least, 1.0 if bits < 1 else 1.25 if bits < 2 else 1.5)

    def _jpeg(self, window: Window | None, step: Step) -> UInt8[np.ndarray, "height width ..."]:
        end = self.data.rfind(b"\xff\xd9")
        if end < self.header.frame:
            raise UnreadableError(
                f"{self.name} is cut short: its {len(self.data):,} bytes end before the picture does."
            )
        if window is not None and self.header.sequential and self.header.orientation == 1:
            data, height = _first_rows(self.data, self.header, rows=window[3], end=end)
        else:
            data, height = self.data, self.header.height
        image = _turbo(data, (height, self.header.width), step, self.channels)
        if image is None:  # inks and rare colour samplings, which OpenCV knows; or damage, which it may pass over
            image = self._decoded(self.data, _REDUCED[self.channels, step] | cv2.IMREAD_IGNORE_ORIENTATION)
            if self.channels == 3:
                cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
        return upright(image, self.header.orientation)

    def _decoded(self, data: bytes, flags: int) -> UInt8[np.ndarray, "height width ..."]:
        with _quiet():
            image = _decode(data, flags)
        if image is None:
            raise UnreadableError(
                f"{self.name} is damaged or cut short: its {self.header.format} data cannot be decoded."
            )
        return image


def upright(
    image: UInt8[np.ndarray, "height width ..."], orientation: int
) -> UInt8[np.ndarray, "upright_height upright_width ..."]:
    """Stored pixels as a person should see them, by EXIF's orientation 1 to 8."""
    turns = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
    if orientation in turns:
        return cv2.rotate(image, turns[orientation])
    if orientation in (2, 4):
        return cv2.flip(image, 1 if orientation == 2 else 0)
    if orientation in (5, 7):
        turned = cv2.transpose(image)
        return turned if orientation == 5 else cv2.rotate(turned, cv2.ROTATE_180)
    return image


@contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV says what is wrong with a file on standard error; we say it in an exception."""
    log = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def _decode(data: bytes, flags: int) -> Any:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None


def _turbo(
    data: bytes, size: tuple[int, int], step: Step, channels: Literal[1, 3]
) -> UInt8[np.ndarray, "height width channels"] | None:
    """A JPEG of that size (height, width) by libjpeg-turbo's own interface; None for what it does not decode."""
    tall, wide = (-(-s // step) for s in size)
    colour = "RGB" if channels == 3 else "GRAY"
    try:
        # Of the scales n / 8 it takes the smallest that keeps the least size asked for.
        image = simplejpeg.decode_jpeg(data, colour, min_height=tall, min_width=wide, strict=False)
    except ValueError:
        return None
    return image if image.shape[:2] == (tall, wide) else None


def _first_rows(data: bytes, header: Header, *, rows: int, end: int) -> tuple[bytes, int]:
    """A JPEG that claims to end below its first `rows` rows, so that the decoder need not go on to the bottom.

    Two rows more are kept: where colour is halved, the last pixels' colours are interpolated with those below. The end
    marker is left off: the decoder would complain of what it has not read. Nothing is changed where the rest lies in
    the same row of blocks (16 pixels where colour is halved), for then the decoder may need the end marker to finish
    it.
    """
    height = rows + 2
    if (height + 15) // 16 >= (header.height + 15) // 16:
        return data, header.height
    at = header.frame + 5
    return b"".join((data[:at], struct.pack(">H", height), data[at + 2 : end])), height


def _whole(picture: EncodedPicture) -> bytes:
    """The data, after a look whether all of a PNG's chunks are there and as they were written (their CRC)."""
    data = picture.data
    if picture.header.format != "PNG":
        return data
    i, kind = 8, b""
    while kind != b"IEND":
        if i + 12 > len(data):
            raise UnreadableError(f"{picture.name} is cut short: its {len(data):,} bytes end before the picture does.")
        (length,), kind = struct.unpack(">I", data[i : i + 4]), data[i + 4 : i + 8]
        end = i + 8 + length
        if end + 4 > len(data):
            raise UnreadableError(f"{picture.name} is cut short: its {len(data):,} bytes end before the picture does.")
        if zlib.crc32(memoryview(data)[i + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise UnreadableError(f"{picture.name} is damaged: the check sum of a part of the PNG is wrong.")
        i = end + 4
    return data


def _eight_bit_rgb(
    image: UInt8[np.ndarray, "height width ..."] | UInt16[np.ndarray, "height width ..."], picture: EncodedPicture
) -> UInt8[np.ndarray, "height width ..."]:
    """Whatever OpenCV decodes (grey, BGR, BGRA; 8 or 16 bits) as 8-bit RGB or grey."""
    if image.dtype not in (np.uint8, np.uint16):
        raise UnreadableError(
            f"{picture.name} holds pixels of type {image.dtype}; only 8 and 16 bits can be read: convert it first."
        )
    if picture.header.cmyk:
        raise UnreadableError(f"{picture.name} is a TIFF in printing inks (CMYK): convert it to RGB first.")
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257)  # 65535 becomes 255
    if image.ndim == 3 and image.shape[2] == 4:
        image = _on_white(image)
    if image.ndim == 2:
        return image if picture.channels == 1 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if picture.channels == 1 else cv2.COLOR_BGR2RGB)


def _on_white(image: UInt8[np.ndarray, "height width 4"]) -> UInt8[np.ndarray, "height width 3"]:
    alpha = image[:, :, 3:].astype(np.float32) / 255
    return np.rint(image[:, :, :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
