"""What a picture file says about itself before anything is decoded: format, size, orientation.

The formats are JPEG (ITU T.81, annex B), PNG (RFC 2083), BMP, GIF89a, TIFF 6.0 and BigTIFF, WebP (RFC 9649) and the
portable any-maps. Orientation is EXIF tag 0x0112: 1 is upright, 2 to 8 are the other mirrorings and quarter turns.
"""

import mmap
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from osler.structures.errors import DataError

Buffer = bytes | mmap.mmap
READABLE = "JPEG, PNG, BMP, GIF, TIFF, WebP, PNM"


class UnreadableError(DataError):
    """A file cannot be decoded as a picture; the message names the file and says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """A picture file's own account of itself. Height and width are as stored, before the orientation is applied."""

    format: str
    height: int
    width: int
    orientation: int = 1
    frame: int = 0  # JPEG: position of the frame header (SOF marker)
    sequential: bool = False  # JPEG: one scan from top to bottom, Huffman-coded (SOF0, SOF1)
    cmyk: bool = False  # TIFF: inks instead of light

    @property
    def upright(self) -> tuple[int, int]:
        """Height and width as a person sees the picture."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width in pixels of the picture in a file, upright, from its header alone.

    Raises:
        UnreadableError: the file is missing, empty, or not a picture.
    """
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return read_header(view, str(path)).upright
    except ValueError as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"{path} is empty (0 bytes).") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be opened: {error.strerror or error}.") from None


def read_header(data: Buffer, name: str) -> Header:
    """The header of an encoded picture.

    Args:
        data: the whole file.
        name: what to call it in an error.

    Raises:
        UnreadableError: it is empty, of no known format, or ends within its header.
    """
    if len(data) == 0:
        raise UnreadableError(f"{name} is empty (0 bytes).")
    start = data[:16]
    for matches, parse in _FORMATS:
        if matches(start):
            try:
                header = parse(data)
            except (struct.error, IndexError, KeyError, AttributeError):
                raise UnreadableError(
                    f"{name} is cut short or damaged: its {len(data):,} bytes end within the header."
                ) from None
            if header.height <= 0 or header.width <= 0:
                raise UnreadableError(
                    f"{name} is damaged: it says that it has {header.height} x {header.width} pixels."
                )
            return header
    raise UnreadableError(f"{name} is not a picture in a format that can be read ({READABLE}).")


def _jpeg(data: Buffer) -> Header:
    orientation, i = 1, 2
    while True:
        while data[i] != 0xFF:  # fill bytes and padding between segments are allowed
            i += 1
        while data[i] == 0xFF:
            i += 1
        marker = data[i]
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            i += 1
            continue
        if marker in (0xD9, 0xDA):  # the end, or pixels, before any frame header
            raise IndexError
        (length,) = struct.unpack(">H", data[i + 1 : i + 3])
        if marker == 0xE1 and data[i + 3 : i + 9] == b"Exif\0\0":
            orientation = exif_orientation(data[i + 9 : i + 1 + length])
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[i + 4 : i + 8])
            return Header("JPEG", height, width, orientation, frame=i - 1, sequential=marker in (0xC0, 0xC1))
        i += 1 + length


def _png(data: Buffer) -> Header:
    width, height = struct.unpack(">II", data[16:24])
    orientation, i = 1, 8
    while i + 8 <= len(data):
        (length,) = struct.unpack(">I", data[i : i + 4])
        kind = data[i + 4 : i + 8]
        if kind == b"eXIf":
            orientation = exif_orientation(data[i + 8 : i + 8 + length])
        if kind in (b"eXIf", b"IEND"):
            break
        i += 12 + length
    return Header("PNG", height, width, orientation)


def _bmp(data: Buffer) -> Header:
    if struct.unpack("<I", data[14:18])[0] == 12:  # OS/2's short header
        width, height = struct.unpack("<HH", data[18:22])
    else:
        width, height = struct.unpack("<ii", data[18:26])
    return Header("BMP", abs(height), width)  # a negative height says that rows run downward


def _gif(data: Buffer) -> Header:
    width, height = struct.unpack("<HH", data[6:10])
    return Header("GIF", height, width)


def _webp(data: Buffer) -> Header:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = (v & 0x3FFF for v in struct.unpack("<HH", data[26:30]))
        return Header("WebP", height, width)
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return Header("WebP", (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1)
    if kind != b"VP8X":
        raise IndexError
    width, height = (int.from_bytes(data[p : p + 3], "little") + 1 for p in (24, 27))
    orientation, i = 1, 30
    while i + 8 <= len(data):
        (length,) = struct.unpack("<I", data[i + 4 : i + 8])
        if data[i : i + 4] == b"EXIF":
            orientation = exif_orientation(data[i + 8 : i + 8 + length].removeprefix(b"Exif\0\0"))
            break
        i += 8 + length + length % 2
    return Header("WebP", height, width, orientation)


def _tiff(data: Buffer) -> Header:
    tags = tiff_tags(data)
    return Header("TIFF", tags[257], tags[256], tags.get(274, 1), cmyk=tags.get(262) == 5)


def _pnm(data: Buffer) -> Header:
    head = re.match(rb"P[1-6](?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)[\s#]", data[:4096])
    if head is None:
        raise IndexError
    return Header("PNM", int(head[2]), int(head[1]))


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[Buffer], Header]], ...] = (
    (lambda s: s.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda s: s.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda s: s.startswith(b"BM"), _bmp),
    (lambda s: s.startswith((b"GIF87a", b"GIF89a")), _gif),
    (lambda s: s.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")), _tiff),
    (lambda s: s.startswith(b"RIFF") and s[8:12] == b"WEBP", _webp),
    (lambda s: re.match(rb"P[1-6]\s", s) is not None, _pnm),
)


def exif_orientation(data: bytes) -> int:
    """The orientation, 1 to 8, that EXIF data (a small TIFF) asks for; 1 where it is absent or makes no sense."""
    try:
        orientation = tiff_tags(data).get(274, 1)
    except (struct.error, KeyError, IndexError):
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def tiff_tags(data: Buffer) -> dict[int, int]:
    """Single whole numbers in the first directory of a TIFF or BigTIFF, by tag.

    Raises:
        struct.error: it ends within the directory.
        KeyError: it is neither little- nor big-endian.
    """
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    if struct.unpack(order + "H", data[2:4])[0] == 43:
        (at,) = struct.unpack(order + "Q", data[8:16])
        counted, entry = order + "Q", order + "HHQ8s"
    else:
        (at,) = struct.unpack(order + "I", data[4:8])
        counted, entry = order + "H", order + "HHI4s"
    (count,) = struct.unpack(counted, data[at : at + struct.calcsize(counted)])
    at += struct.calcsize(counted)
    formats = {1: "B", 3: "H", 4: "I", 16: "Q"}
    tags = {}
    for _ in range(min(count, 4096)):
        tag, kind, items, value = struct.unpack(entry, data[at : at + struct.calcsize(entry)])
        if kind in formats and items == 1:
            tags[tag] = struct.unpack(order + formats[kind], value[: struct.calcsize(formats[kind])])[0]
        at += struct.calcsize(entry)
    return tags
