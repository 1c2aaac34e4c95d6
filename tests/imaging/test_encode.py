"""Pictures are written whole or not at all, and come back."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from osler.imaging.decode import read_image
from osler.imaging.encode import encode_image, write_image


@pytest.mark.craft("DA11")
@pytest.mark.parametrize("channels", [1, 3])
def test_png_comes_back_identical_and_jpeg_nearly(tmp_path: Path, channels: int) -> None:
    photo = load_sample_image("china.jpg")[:, :, :channels]
    write_image(tmp_path / "a.png", photo)
    write_image(tmp_path / "a.jpg", photo, quality=90)
    assert np.array_equal(read_image(tmp_path / "a.png", channels=channels), photo)
    error = np.mean((read_image(tmp_path / "a.jpg", channels=channels).astype(float) - photo) ** 2)
    psnr = 10 * np.log10(255**2 / error)
    print(f"JPEG at quality 90, {channels} channel(s): {psnr:.1f} dB")
    assert 30 < psnr < 60
    assert (tmp_path / "a.jpg").stat().st_size < (tmp_path / "a.png").stat().st_size


def test_transparency_is_kept_by_png() -> None:
    import cv2

    rgba = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    back = cv2.imdecode(np.frombuffer(encode_image(rgba), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(cv2.cvtColor(back, cv2.COLOR_BGRA2RGBA), rgba)


def test_quality_is_heeded() -> None:
    photo = load_sample_image("china.jpg")
    for kind in ("jpg", "webp"):
        assert len(encode_image(photo, format=kind, quality=30)) < len(encode_image(photo, format=kind, quality=95)) / 2


def test_a_picture_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    write_image(path, np.zeros((4, 4, 3), np.uint8))
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        write_image(path, np.ones((9, 9, 3), np.uint8))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("image", "kind", "word"),
    [
        (np.zeros((4, 4, 3), np.float32), "png", "float32"),
        (np.zeros((4, 4, 2), np.uint8), "png", "4, 4, 2"),
        (np.zeros((4, 4, 3), np.uint8), "doc", "doc"),
    ],
)
def test_what_is_no_picture_is_refused(image: np.ndarray, kind: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        encode_image(image, format=kind)
