import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osler.data.opening import open_data
from osler.data.recipe import DataSection
from osler.data.record_examples import read_example, write_example
from osler.data.records import crc32c, read_records, write_records
from osler.imaging.decode import EncodedPicture
from osler.imaging.encode import encode_image
from osler.structures.errors import DataError


def crc32c_by_definition(data):
    """Bit by bit."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


@given(st.integers(0, 9000), st.integers(0, 99))
def test_the_checksum_of_long_data_is_that_of_its_definition(length, seed):
    data = np.random.default_rng(seed).bytes(length)
    assert crc32c(data) == crc32c_by_definition(data)


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_records_come_back_in_order(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("records") / "x.tfrecord"
    write_records(path, records)
    assert list(read_records(path)) == records


def test_the_file_is_laid_out_as_tensorflow_does(tmp_path):
    path = tmp_path / "x"
    write_records(path, [b"123456789"])
    rotated = (0xE3069283 >> 15 | 0xE3069283 << 17) & 0xFFFFFFFF
    content = path.read_bytes()
    assert content[:8] == (9).to_bytes(8, "little")
    assert content[12:21] == b"123456789"
    assert struct.unpack("<I", content[21:])[0] == (rotated + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c[:-1], "cut off within record 1"),
        (lambda c: c[:25], "head of record 1"),
        (lambda c: c[:30] + bytes([c[30] ^ 1]) + c[31:], "head of record 1"),
        (lambda c: c[:13] + bytes([c[13] ^ 1]) + c[14:], "checksum of record 0"),
    ],
)
def test_damage_is_found_and_the_record_named(tmp_path, change, said):
    path = tmp_path / "x"
    write_records(path, [b"first", b"second"])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=said):
        list(read_records(path))


@given(
    st.dictionaries(
        st.text(max_size=9),
        st.one_of(
            st.lists(st.binary(max_size=20), max_size=4),
            st.lists(st.floats(width=32, allow_nan=False), max_size=4),
            st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
        ),
        max_size=5,
    )
)
def test_examples_come_back(features):
    assert read_example(write_example(features)) == features


def test_an_example_is_encoded_as_protocol_buffers_say():
    """Features a: [3, 150], written out by hand: packed, and one by one as some writers do."""
    packed = bytes.fromhex("0a0e 0a0c 0a0161 1207 1a05 0a03 03 9601")
    assert write_example({"a": [3, 150]}) == packed
    assert read_example(packed) == {"a": [3, 150]}
    one_by_one = bytes.fromhex("0a0e 0a0c 0a0161 1207 1a05 0803 089601")
    assert read_example(one_by_one) == {"a": [3, 150]}
    with pytest.raises(DataError, match="no example"):
        read_example(b"\x0a\x7f")


@pytest.mark.craft("DA11")
def test_pictures_pass_through_encoding_a_record_file_and_decoding(tmp_path, shared):
    """Real photographs: PNG comes back identical, JPEG at a PSNR that is printed, both out of one record file."""
    section = DataSection(
        path=str(shared / "data" / "imagenet-sample"), label_columns=("class_index",), labels="class", validation=0
    )
    data = open_data(section, seed=0)
    pictures = [data.train[i] for i in (0, 50, 100)]
    path = tmp_path / "pictures.tfrecord"
    write_records(
        path,
        (
            write_example(
                {"image": [encode_image(p.image, format=form)], "label": [p.target], "format": [form.encode()]}
            )
            for p in pictures
            for form in ("png", "jpg")
        ),
    )
    read = [read_example(record) for record in read_records(path)]
    assert [example["label"][0] for example in read] == [p.target for p in pictures for _ in range(2)]
    for k, example in enumerate(read):
        original = pictures[k // 2].image
        decoded = EncodedPicture.of(example["image"][0]).read()
        assert len(example["image"][0]) < original.nbytes  # stored compressed
        assert decoded.shape == original.shape  # a height x width x channels matrix again
        if example["format"] == [b"png"]:
            np.testing.assert_array_equal(decoded, original)
        else:
            error = np.square(decoded.astype(float) - original).mean()
            psnr = 10 * np.log10(255**2 / error)
            print(f"JPEG, quality 95: {psnr:.1f} dB at {len(example['image'][0]) / original.nbytes:.0%} of the size")
            assert 30 < psnr < 60
