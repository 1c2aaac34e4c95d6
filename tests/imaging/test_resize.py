"""Resizing agrees with Pillow's antialiased bilinear filter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from osler.imaging.resize import resize


def pillows(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    picture = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR)).reshape(*size, -1)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-6, np.mean((a.astype(float) - b) ** 2))))


@pytest.mark.craft("DA09")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "size", [(32, 32), (64, 200), (100, 640), (224, 224), (390, 600), (427, 100), (500, 800), (200, 900)]
)
def test_close_to_pillow(size: tuple[int, int], channels: int) -> None:
    photo = np.ascontiguousarray(load_sample_image("china.jpg")[:, :, :channels])
    resized = resize(photo, size)
    assert resized.shape == (*size, channels)
    assert resized.flags.c_contiguous
    assert psnr(resized, pillows(photo, size)) > 38


def test_fine_stripes_do_not_alias() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(resize(stripes, (16, 16))[:, 1:-1].astype(int) - 128).max() <= 1


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
@settings(max_examples=50, deadline=None)
def test_one_colour_stays_that_colour(height: int, width: int, tall: int, wide: int, level: int) -> None:
    resized = resize(np.full((height, width, 3), level, np.uint8), (tall, wide))
    assert resized.shape == (tall, wide, 3)
    assert np.abs(resized.astype(int) - level).max() <= 1


def test_a_window_of_a_picture_need_not_be_copied() -> None:
    photo = load_sample_image("china.jpg")
    for size in ((20, 30), (300, 300)):
        assert np.array_equal(resize(photo[10:110, 20:170], size), resize(photo[10:110, 20:170].copy(), size))


def test_the_same_size_is_the_same_array() -> None:
    image = np.zeros((5, 6, 3), np.uint8)
    assert resize(image, (5, 6)) is image
