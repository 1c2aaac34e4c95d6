import numpy as np
import pytest
from data_files import picture, write_picture

from osler.data.arrays import ArrayDataSet
from osler.data.files import FileDataSet
from osler.data.statistics import channel_statistics
from osler.structures.errors import DataError


def data_set(images):
    return ArrayDataSet(images, np.zeros(len(images), np.int64))


def test_mean_and_spread_are_those_of_all_pixels():
    images = np.random.default_rng(0).integers(0, 256, (50, 6, 7, 3), np.uint8)
    images[..., 1] //= 3
    mean, std = channel_statistics(data_set(images), 3)
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)) / 255, rtol=1e-9)
    np.testing.assert_allclose(std, images.std((0, 1, 2)) / 255, rtol=1e-9)


def test_pictures_count_alike_whatever_their_size(tmp_path):
    paths = [
        write_picture(tmp_path / f"{i}.png", np.full((side, side, 3), level, np.uint8))
        for i, (side, level) in enumerate([(2, 0), (40, 255)])
    ]
    mean, std = channel_statistics(FileDataSet(list(map(str, paths)), np.zeros(2)), 3)
    assert mean == pytest.approx((0.5,) * 3)
    assert std == pytest.approx((0.5,) * 3)


def test_a_sample_of_many_pictures_repeats_by_seed_and_is_near():
    images = np.random.default_rng(0).integers(0, 256, (500, 4, 4, 1), np.uint8)
    first = channel_statistics(data_set(images), 1, at_most=100, seed=1)
    assert first == channel_statistics(data_set(images), 1, at_most=100, seed=1)
    assert first != channel_statistics(data_set(images), 1, at_most=100, seed=2)
    assert first[0][0] == pytest.approx(images.mean() / 255, abs=0.02)


def test_a_constant_channel_does_not_divide_by_zero():
    mean, std = channel_statistics(data_set(np.full((3, 4, 4, 1), 51, np.uint8)), 1)
    assert mean == pytest.approx((0.2,))
    assert std == pytest.approx((1 / 255,))


def test_other_channels_than_the_pictures_have():
    grey = np.full((3, 4, 4, 1), 51, np.uint8)
    assert channel_statistics(data_set(grey), 3)[0] == pytest.approx((0.2,) * 3)
    assert channel_statistics(data_set(np.repeat(grey, 3, 3)), 1)[0] == pytest.approx((0.2,))


def test_unreadable_pictures_are_passed_over_and_all_of_them_are_said(tmp_path):
    good = write_picture(tmp_path / "good.png", picture(0))
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    mean, _ = channel_statistics(FileDataSet([str(good), str(bad)], np.zeros(2)), 3)
    np.testing.assert_allclose(mean, picture(0).mean((0, 1)) / 255)
    with pytest.raises(DataError, match="None of 1 pictures"):
        channel_statistics(FileDataSet([str(bad)], np.zeros(1)), 3)
