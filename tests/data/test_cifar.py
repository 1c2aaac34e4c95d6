import subprocess
import sys

import numpy as np
import pytest
from data_files import cifar_binary, cifar_python

from osler.data.cifar import CIFAR10_NAMES
from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.structures.errors import DataError


def opened(path, **values):
    return open_data(DataSection(path=str(path), **values), seed=0)


def assert_reads_planes(sample, number):
    assert sample.image.shape == (32, 32, 3)
    assert (sample.image[..., 0] == number).all()
    assert (sample.image[..., 1] == 100).all()
    assert (sample.image[..., 2] == np.arange(32)).all()  # columns run along the width


def test_binary_batches(tmp_path):
    source = opened(cifar_binary(tmp_path), validation=0)
    assert (len(source.train), len(source.test)) == (20, 10)
    assert source.names == tuple(f"thing{i}" for i in range(10))
    assert_reads_planes(source.train[13], 3)
    assert source.train[13].target == 3
    assert source.in_memory


def test_python_batches_give_the_same(tmp_path):
    source = opened(cifar_python(tmp_path), validation=0)
    assert (len(source.train), len(source.test)) == (10, 10)
    assert source.names == tuple(f"thing{i}" for i in range(10))
    assert_reads_planes(source.train[7], 7)
    assert source.train[7].target == 7


def test_cifar100_takes_the_fine_label(tmp_path):
    source = opened(cifar_binary(tmp_path, label_bytes=2), validation=0)
    assert len(source.names) == 100
    assert source.train.targets.tolist() == list(range(10))
    assert_reads_planes(source.train[4], 4)


def test_the_published_folder_inside_is_found(tmp_path):
    cifar_binary(tmp_path / "cifar-10-batches-bin")
    assert len(opened(tmp_path, validation=0).train) == 20


def test_without_names_the_published_ones_are_taken(tmp_path):
    cifar_binary(tmp_path)
    (tmp_path / "batches.meta.txt").unlink()
    assert opened(tmp_path).names == CIFAR10_NAMES


@pytest.mark.parametrize(
    ("size", "said"), [(3072, "not a multiple of 3073"), (0, "not a multiple"), (3074, "not a multiple")]
)
def test_a_batch_of_the_wrong_length_is_refused(tmp_path, size, said):
    cifar_binary(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(b"\1" * size)
    with pytest.raises(DataError, match=said):
        opened(tmp_path)


def test_a_label_beyond_the_classes_is_refused(tmp_path):
    cifar_binary(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(b"\x0b" * 3073)
    with pytest.raises(DataError, match="label 11"):
        opened(tmp_path)


def test_the_wrong_number_of_names_is_refused(tmp_path):
    cifar_binary(tmp_path)
    (tmp_path / "batches.meta.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match="names 2 classes"):
        opened(tmp_path)


@pytest.mark.slow
def test_real_cifar10(shared, tmp_path):
    subprocess.run([sys.executable, shared / "tools" / "unpack_cifar10.py", tmp_path], check=True)
    source = opened(tmp_path, validation=0)
    assert (len(source.train), len(source.test)) == (50_000, 1_000)
    assert source.names == CIFAR10_NAMES
    assert np.bincount(source.train.targets).tolist() == [5_000] * 10
    assert source.train.images[:1000].mean() == pytest.approx(120, abs=5)  # CIFAR-10's known mean is 0.473 of 255
