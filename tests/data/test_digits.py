import numpy as np
from sklearn.datasets import load_digits

from osler.data.opening import open_data
from osler.data.recipe import DataSection


def test_digits_is_the_default_and_holds_all_digits_spread_over_bytes():
    source = open_data(DataSection(validation=0), seed=0)
    original = load_digits()
    assert source.name == "digits"
    assert len(source.train) == 1797
    assert source.names == tuple("0123456789")
    assert (source.channels, source.typical_size, source.in_memory, source.uniform) == (1, (8, 8), True, True)
    np.testing.assert_array_equal(source.train.targets, original.target)
    pixels = np.stack([source.train[i].image[..., 0] for i in range(1797)])
    np.testing.assert_array_equal(np.round(pixels / 255 * 16), original.images)
    assert pixels.max() == 255


def test_a_picture_cannot_be_changed_for_the_others():
    source = open_data(DataSection(), seed=0)
    assert not source.train[0].image.flags.writeable
