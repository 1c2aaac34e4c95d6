import os
import pickle

import numpy as np
import pytest
from data_files import cifar_python

from osler.data.opening import open_data
from osler.data.plain_pickle import read_plain_pickle
from osler.data.recipe import DataSection
from osler.structures.errors import DataError


class Attack:
    """Pickled, it asks for a call on loading."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_plain_data_and_arrays_come_back(tmp_path, protocol):
    value = {
        "data": np.arange(12, dtype=np.uint8).reshape(3, 4),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "labels": [1, 2, 3],
        "names": ("a", "b"),
    }
    path = tmp_path / "x"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    read = read_plain_pickle(path)
    for name in ("data", "fortran", "big"):
        np.testing.assert_array_equal(read[name], value[name])
        assert read[name].dtype == value[name].dtype
    assert read["labels"] == [1, 2, 3]
    assert read["names"] == ("a", "b")


def test_what_python_2_wrote_is_read(tmp_path):
    """Bytes of Python 2's cPickle, protocol 2: {'data': array([[1, 2]], uint8), 'labels': [7]}, written out by hand."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01bt R(K\x01K\x01K\x02\x86"
        b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\x02tb"
    ).replace(b"bt R", b"btR")
    path = tmp_path / "x"
    path.write_bytes(b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x07eu.")
    read = read_plain_pickle(path)
    np.testing.assert_array_equal(read["data"], [[1, 2]])
    assert read["labels"] == [7]


ATTACKS = {
    "posix.system": Attack(os.system, "touch {}"),
    "builtins.eval": Attack(eval, "open({!r}, 'w')"),
    "builtins.exec": Attack(exec, "open({!r}, 'w')"),
    "builtins.getattr": Attack(getattr, "x", "y"),
    "numpy.load": Attack(np.load, "{}"),
}


@pytest.mark.parametrize("asked", ATTACKS)
def test_code_in_a_pickle_is_refused_and_not_executed(tmp_path, asked):
    attack, witness = ATTACKS[asked], tmp_path / "executed"
    content = Attack(attack.call, *(a.format(str(witness)) for a in attack.arguments))
    path = tmp_path / "x"
    path.write_bytes(pickle.dumps({"data": content}, protocol=2))
    with pytest.raises(DataError, match=f"refused.*{asked.split('.')[1]}.*Nothing of it was executed"):
        read_plain_pickle(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02}",
        b"no pickle at all",
        b"\x80\x02cnumpy\ndtype\n(U\x01OK\x00K\x01tR.",  # an array of objects
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\nK\x00\x85U\x01btR.",  # of another class
        b"\x80\x02c_codecs\nencode\n(U\x01aU\x04utf8tR.",  # another encoding
        b"\x80\x02U\x01xQ.",  # a persistent identifier
    ],
)
def test_anything_else_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(DataError, match=str(path)):
        read_plain_pickle(path)


def test_a_cifar_batch_with_code_in_it_is_refused(tmp_path):
    cifar_python(tmp_path)
    witness = tmp_path / "executed"
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({"data": Attack(os.system, f"touch {witness}")}, protocol=2))
    with pytest.raises(DataError, match="refused"):
        open_data(DataSection(path=str(tmp_path)), seed=0)
    assert not witness.exists()


@pytest.mark.parametrize("batch", [{"data": 3}, [1, 2], {"data": np.zeros((2, 7), np.uint8), "labels": [1, 2]}])
def test_a_pickle_that_is_no_batch_is_refused(tmp_path, batch):
    cifar_python(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(DataError, match="no CIFAR batch"):
        open_data(DataSection(path=str(tmp_path)), seed=0)
