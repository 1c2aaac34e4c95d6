"""Brightness, contrast, saturation and hue do what their numbers say."""

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_sample_image

from osler.imaging.colour import (
    Brightness,
    ColorJitter,
    Contrast,
    Grayscale,
    Hue,
    Saturation,
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    rotate_hue,
    to_channels,
)
from osler.structures.sample import Sample

COLOURS = arrays(np.uint8, (6, 7, 3))


@pytest.mark.craft("DA05")
@given(st.integers(-80, 80))
@settings(max_examples=30, deadline=None)
def test_brightness_shifts_the_mean_as_requested(levels: int) -> None:
    image = np.random.default_rng(0).integers(80, 176, (20, 20, 3), np.uint8)  # far from both ends: nothing clips
    shifted = adjust_brightness(image, shift=levels / 255)
    assert np.array_equal(shifted.astype(int), image.astype(int) + levels)


@pytest.mark.craft("DA05")
def test_brightness_clips_at_both_ends() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    brighter, darker = adjust_brightness(ramp, shift=0.4), adjust_brightness(ramp, shift=-0.4)
    assert brighter.max() == 255
    assert (brighter.ravel()[154:] == 255).all()
    assert (darker.ravel()[:102] == 0).all()
    assert np.array_equal(adjust_brightness(ramp, factor=0.5), np.rint(ramp / 2).astype(np.uint8))
    assert adjust_brightness(ramp, factor=3.0).ravel()[100] == 255


@pytest.mark.craft("DA05")
def test_drawn_shifts_fill_the_range_asked_for() -> None:
    sample, rng = Sample(np.full((4, 4, 3), 128, np.uint8)), np.random.default_rng(0)
    shifts = [int(Brightness(shift=0.2)(sample, rng).image[0, 0, 0]) - 128 for _ in range(400)]
    assert -51 <= min(shifts) < -48
    assert 48 < max(shifts) <= 51
    assert abs(np.mean(shifts)) < 4


@given(COLOURS)
@settings(max_examples=40, deadline=None)
def test_contrast(image: np.ndarray) -> None:
    assert np.array_equal(adjust_contrast(image, 1.0), image)
    flat = adjust_contrast(image, 0.0)
    assert flat.min() == flat.max()
    assert abs(flat[0, 0, 0] - (image @ [0.299, 0.587, 0.114]).mean()) <= 0.51


def test_contrast_keeps_the_mean_and_scales_the_spread() -> None:
    image = np.random.default_rng(0).integers(100, 156, (64, 64, 1), np.uint8)
    harder = adjust_contrast(image, 1.6)
    assert abs(harder.mean() - image.mean()) < 0.1
    assert abs(harder.std() / image.std() - 1.6) < 0.01


@pytest.mark.craft("DA06")
@given(COLOURS)
@settings(max_examples=60, deadline=None)
def test_saturation_zero_is_grey_and_one_changes_nothing(image: np.ndarray) -> None:
    grey = adjust_saturation(image, 0.0)
    assert (grey == grey[:, :, :1]).all()
    assert np.abs(grey[:, :, 0] - image @ [0.299, 0.587, 0.114]).max() < 0.6
    assert np.array_equal(adjust_saturation(image, 1.0), image)


@pytest.mark.craft("DA06")
def test_saturation_moves_colours_away_from_their_grey() -> None:
    image = np.full((2, 2, 3), (140, 120, 100), np.uint8)  # grey 123.7
    assert np.abs(adjust_saturation(image, 2.0)[0, 0].astype(float) - [156.3, 116.3, 76.3]).max() <= 1
    assert np.abs(adjust_saturation(image, 0.5)[0, 0].astype(float) - [131.9, 121.9, 111.9]).max() <= 1


@pytest.mark.craft("DA07")
@given(COLOURS)
@settings(max_examples=60, deadline=None)
def test_a_full_turn_of_the_hue_changes_nothing(image: np.ndarray) -> None:
    assert np.array_equal(rotate_hue(image, 360), image)
    assert np.array_equal(rotate_hue(image, 0), image)


@pytest.mark.craft("DA07")
@given(st.tuples(*[st.integers(0, 255)] * 3), st.floats(-180, 180))
@settings(max_examples=80, deadline=None)
def test_hue_turns_in_hsv(colour: tuple[int, int, int], degrees: float) -> None:
    hue, saturation, value = colorsys.rgb_to_hsv(*(v / 255 for v in colour))
    expected = colorsys.hsv_to_rgb((hue + degrees / 360) % 1, saturation, value)
    turned = rotate_hue(np.full((1, 1, 3), colour, np.uint8), degrees)[0, 0]
    assert np.abs(turned - 255 * np.array(expected)).max() < 1


@pytest.mark.craft("DA07")
def test_three_thirds_of_a_turn_are_a_turn() -> None:
    photo = load_sample_image("flower.jpg")[::4, ::4]
    turned = rotate_hue(rotate_hue(rotate_hue(photo, 120), 120), 120)
    assert np.abs(turned.astype(int) - photo).max() <= 1
    assert np.array_equal(rotate_hue(np.full((1, 1, 3), (255, 0, 0), np.uint8), 120)[0, 0], [0, 255, 0])


def test_channels() -> None:
    photo = load_sample_image("flower.jpg")
    grey = to_channels(photo, 1)
    assert grey.shape == (427, 640, 1)
    assert np.abs(grey[:, :, 0] - photo @ [0.299, 0.587, 0.114]).max() < 0.6
    assert np.array_equal(to_channels(grey, 3), np.repeat(grey, 3, axis=2))
    assert to_channels(photo, 3) is photo


def test_grayscale_in_its_share() -> None:
    sample, rng = Sample(np.full((2, 2, 3), (200, 100, 50), np.uint8)), np.random.default_rng(0)
    grey = [np.ptp(Grayscale(0.3)(sample, rng).image) == 0 for _ in range(1000)]
    assert abs(np.mean(grey) - 0.3) < 0.05


def test_jitter_draws_its_order() -> None:
    """Contrast after brightness differs from brightness after contrast, so several orders give several pictures."""
    image = load_sample_image("flower.jpg")[::8, ::8]

    class Fixed(np.random.Generator):
        def random(self) -> float:  # all amounts at their largest: only the order is left to chance
            return 1.0

    results = {
        ColorJitter(0.5, 0.5, 0.5, 30)(Sample(image), Fixed(np.random.PCG64(s))).image.tobytes() for s in range(60)
    }
    assert len(results) > 10


def test_jitter_of_nothing_changes_nothing() -> None:
    sample = Sample(load_sample_image("flower.jpg")[::8, ::8])
    rng = np.random.default_rng(0)
    for transform in (ColorJitter(0, 0, 0, 0), Brightness(0, 0), Contrast(0), Saturation(0), Hue(0)):
        assert np.array_equal(transform(sample, rng).image, sample.image)
