"""Sizes and orientations are read from the header; whatever is no picture is refused with a sentence."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from osler.imaging.decode import UnreadableError, image_size, read_image
from osler.imaging.header import exif_orientation, read_header
from osler.structures.errors import DataError


def encoded(kind: str, height: int = 20, width: int = 30, **options) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (9, 80, 200)).save(buffer, kind, **options)
    return buffer.getvalue()


def attempt(data: bytes) -> tuple[tuple[int, int] | None, str]:
    """The size that the header gives, or the sentence."""
    try:
        return read_header(data, "the file").upright, ""
    except UnreadableError as error:
        return None, str(error)


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = orientation
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
@pytest.mark.parametrize(("height", "width"), [(20, 30), (301, 7)])
def test_size_of_every_format(tmp_path: Path, kind: str, height: int, width: int) -> None:
    (tmp_path / "a").write_bytes(encoded(kind, height, width))
    assert image_size(tmp_path / "a") == (height, width)
    assert read_image(tmp_path / "a").shape == (height, width, 3)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": oriented(1)}, {"quality": 50}])
def test_size_of_the_three_kinds_of_webp(options: dict) -> None:
    assert read_header(encoded("WEBP", 33, 17, **options), "a").upright == (33, 17)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_upright_size_follows_exif(tmp_path: Path, kind: str, orientation: int) -> None:
    (tmp_path / "a").write_bytes(encoded(kind, exif=oriented(orientation)))
    assert image_size(tmp_path / "a") == ((30, 20) if orientation >= 5 else (20, 30))


def test_pnm_comments_are_skipped() -> None:
    assert read_header(b"P5 # a comment\n# another\n 7 9\n255\n" + bytes(63), "a").upright == (9, 7)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_a_header_cut_anywhere_is_a_sentence(kind: str) -> None:
    data = encoded(kind)
    for end in range(min(len(data), 40)):
        size, said = attempt(data[:end])
        assert size == (20, 30) if size else said.startswith("the file")  # enough was there, or a sentence


@given(st.binary(max_size=200))
def test_any_bytes_give_a_header_or_a_sentence(data: bytes) -> None:
    for start in (
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        b"GIF89a",
        b"II*\0",
        b"MM\0+",
        b"RIFF1234WEBP",
        b"P6 ",
    ):
        size, said = attempt(start + data)
        assert min(size) > 0 if size else said.startswith("the file")


@given(st.binary(max_size=60))
def test_broken_exif_means_upright(data: bytes) -> None:
    assert 1 <= exif_orientation(b"II*\0" + data) <= 8


def test_missing_empty_folder_and_text(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "note.txt").write_text("not a picture at all, only words")
    for name, word in (("gone.jpg", "opened"), ("empty.png", "empty"), ("note.txt", "not a picture"), (".", "opened")):
        for read in (image_size, read_image):
            with pytest.raises(UnreadableError, match=word) as caught:
                read(tmp_path / name)
            assert isinstance(caught.value, DataError)
            assert "\n" not in str(caught.value)


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in a few hundred bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb())
    assert image_size(tmp_path / "bomb.png") == (60_000, 60_000)

    def never(*_: object) -> np.ndarray:
        raise AssertionError("decoded")

    monkeypatch.setattr("cv2.imdecode", never)
    with pytest.raises(UnreadableError, match="60,000 x 60,000"):
        read_image(tmp_path / "bomb.png")


def test_max_pixels_is_the_callers(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    assert read_image(tmp_path / "a.png", max_pixels=600).shape == (20, 30, 3)
    with pytest.raises(UnreadableError, match="599"):
        read_image(tmp_path / "a.png", max_pixels=599)
