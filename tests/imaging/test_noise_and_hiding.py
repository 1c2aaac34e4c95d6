"""Noise has the strength asked for, blur spreads by its sigma, and erasing covers what it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osler.imaging.blur import GaussianBlur
from osler.imaging.erasing import Cutout, RandomErasing
from osler.imaging.noise import GaussianNoise, SaltAndPepper, add_gaussian_noise, add_salt_and_pepper
from osler.structures.sample import Sample

GREY = np.full((200, 200, 3), 128, np.uint8)


@pytest.mark.craft("DA04")
@pytest.mark.parametrize("std", [0.03, 0.05, 0.1])
def test_noise_has_the_requested_spread(std: float) -> None:
    noisy = add_gaussian_noise(GREY, std, np.random.default_rng(0))
    difference = noisy.astype(float) - 128
    assert abs(difference.std() / (255 * std) - 1) < 0.02
    assert abs(difference.mean()) < 0.3
    assert abs(np.corrcoef(difference[:, :, 0].ravel(), difference[:, :, 1].ravel())[0, 1]) < 0.02


@pytest.mark.craft("DA04")
def test_noise_repeats_by_seed_and_clips() -> None:
    for add, strength in ((add_gaussian_noise, 0.1), (add_salt_and_pepper, 0.1)):
        first, again, other = (add(GREY, strength, np.random.default_rng(s)) for s in (1, 1, 2))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
    white = add_gaussian_noise(np.full((50, 50, 1), 255, np.uint8), 0.2, np.random.default_rng(0))
    assert 0.4 < (white == 255).mean() < 0.6  # what rises above white is white: half of it


@pytest.mark.craft("DA04")
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_salt_and_pepper_have_their_share(share: float) -> None:
    noisy = add_salt_and_pepper(GREY, share, np.random.default_rng(0))
    white, black = (noisy == 255).all(2).mean(), (noisy == 0).all(2).mean()
    assert abs(white + black - share) < 0.01
    assert abs(white - black) < 0.01
    assert ((noisy == 128).all(2) | (noisy == 255).all(2) | (noisy == 0).all(2)).all()


@pytest.mark.parametrize(
    "transform", [GaussianNoise(0.1, 0.25), SaltAndPepper(0.1, 0.25), GaussianBlur((1, 2), 0.25), RandomErasing(0.25)]
)
def test_probability(transform: object) -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    rng = np.random.default_rng(0)
    changed = [not np.array_equal(transform(Sample(image), rng).image, image) for _ in range(600)]
    assert abs(np.mean(changed) - 0.25) < 0.06


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_blur_spreads_a_line_by_sigma(sigma: float) -> None:
    image = np.zeros((65, 65, 1), np.uint8)
    image[:, 32] = 255  # a line: its profile is the kernel
    profile = GaussianBlur((sigma, sigma), 1.0)(Sample(image), np.random.default_rng(0)).image[32, :, 0].astype(float)
    x = np.arange(65) - 32
    assert abs(np.sqrt((profile * x**2).sum() / profile.sum()) / sigma - 1) < 0.05


@given(st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_erasing_covers_one_rectangle_of_the_published_sizes(seed: int) -> None:
    erased = RandomErasing(1.0)(Sample(GREY), np.random.default_rng(seed)).image
    hidden = (erased != 128).any(2)
    rows, columns = np.flatnonzero(hidden.any(1)), np.flatnonzero(hidden.any(0))
    tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    assert hidden[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.99
    assert 0.018 < tall * wide / 200**2 < 0.41
    assert 0.27 < tall / wide < 1 / 0.27
    assert erased[hidden].std() > 50  # random values, not one colour


def test_erasing_that_fits_nowhere_gives_up() -> None:
    sample = Sample(np.zeros((2, 400, 3), np.uint8))
    assert RandomErasing(1.0, area=(0.9, 1.0), ratio=1.0)(sample, np.random.default_rng(0)) is sample


def test_cutout_reaches_over_the_edge() -> None:
    areas = set()
    for seed in range(300):
        hidden = Cutout(8, fill=0)(Sample(GREY[:20, :20]), np.random.default_rng(seed)).image[:, :, 0] == 0
        assert 16 <= hidden.sum() <= 64
        areas.add(int(hidden.sum()))
    assert max(areas) == 64
    assert min(areas) < 32
