import gzip

import numpy as np
import pytest
from data_files import idx_bytes, idx_folder

from osler.data.idx import read_idx
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.structures.errors import DataError


def opened(path, **values):
    return open_data(DataSection(path=str(path), **values), seed=0)


@pytest.mark.parametrize("zipped", [False, True])
def test_plain_and_compressed_files_give_the_same_pictures(tmp_path, zipped):
    source = opened(idx_folder(tmp_path, zipped=zipped), validation=0)
    assert (len(source.train), len(source.test)) == (20, 6)
    assert source.names == ("0", "1")
    assert (source.channels, source.typical_size, source.in_memory) == (1, (5, 4), True)
    sample = source.train[7]
    assert sample.image.shape == (5, 4, 1)
    assert (sample.image == 7).all()
    assert sample.target == 1


def test_rows_and_columns_keep_their_places(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "x"
    path.write_bytes(idx_bytes(array))
    np.testing.assert_array_equal(read_idx(path, dimensions=3), array)


def test_a_zip_under_a_plain_name_is_recognised_by_its_content(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((2, 2, 2), np.uint8))))
    assert read_idx(path, dimensions=3).shape == (2, 2, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c[:-1], "cut off"),
        (lambda c: c + b"x", "too long"),
        (lambda c: c[:6], "no idx file"),
        (lambda c: b"", "nothing"),
        (lambda c: b"\0\0\x0d\x03" + c[4:], "00 00 0d 03"),
        (lambda c: b"\x89PNG" + c[4:], "89 50 4e 47"),
        (lambda c: gzip.compress(c)[:-9], "damaged gzip"),
        (lambda c: c[:4] + b"\xff" * 12 + c[16:], "cut off"),  # a head that promises 8e28 bytes reserves no memory
    ],
)
def test_damaged_files_are_refused_with_what_is_wrong(tmp_path, change, said):
    folder = idx_folder(tmp_path)
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=said) as caught:
        opened(folder)
    assert str(path) in str(caught.value)


def test_labels_that_are_missing_or_fewer_are_said(tmp_path):
    folder = idx_folder(tmp_path)
    labels = folder / "train-labels-idx1-ubyte"
    labels.write_bytes(idx_bytes(np.zeros(19, np.uint8)))
    with pytest.raises(DataError, match=r"20 pictures and .* 19 labels"):
        opened(folder)
    labels.unlink()
    with pytest.raises(DataError, match="lacks train-labels"):
        opened(folder)


def test_fashion_mnist_is_recognised_by_its_labels(shared):
    source = opened(shared / "data" / "fashion-mnist", validation=0.1)
    assert source.names[0] == "T-shirt/top"
    assert source.names[9] == "Ankle boot"
    assert (len(source.train), len(source.validation), len(source.test)) == (54_000, 6_000, 10_000)
    assert np.bincount(source.validation.targets).tolist() == [600] * 10
