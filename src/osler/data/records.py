"""Record files: many small blobs in one file, each with its length and checksums, as TensorFlow's TFRecord.

A record: its length (64 bits, little-endian), the length's checksum, the data, the data's checksum. Checksums are
CRC-32C (Castagnoli; RFC 3720, appendix B.4), rotated right by 15 bits and added to a constant, 32 bits, so that a
checksum of data that holds checksums is no trivial one.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt32

from osler.structures.errors import DataError
from osler.structures.files import write_whole

POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
MASK = 0xA282EAD8
LANES = 256  # parts of a blob whose checksums are computed side by side


def write_records(path: Path, records: Iterable[bytes]) -> None:
    """A record file, whole or not there."""
    write_whole(path, lambda file: file.writelines(_framed(record) for record in records))


def read_records(path: Path, *, verify: bool = True) -> Iterator[bytes]:
    """The records of a file in order. `verify=False` leaves out the data's checksums, not the lengths'.

    Raises:
        DataError: the file is cut off, or a checksum is wrong; the message names the record.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        number = 0
        while head := file.read(12):
            if len(head) < 12 or _masked(crc32c(head[:8])) != struct.unpack("<I", head[8:])[0]:
                raise DataError(f"{path} is no record file, or is damaged: the head of record {number} does not check.")
            (length,) = struct.unpack("<Q", head[:8])
            if length > size - file.tell() - 4:
                raise DataError(f"{path} is cut off within record {number}. Write it again.")
            data = file.read(length)
            (checksum,) = struct.unpack("<I", file.read(4))
            if verify and _masked(crc32c(data)) != checksum:
                raise DataError(f"{path} is damaged: the checksum of record {number} is wrong. Write it again.")
            yield data
            number += 1


def _framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _masked(crc32c(length))) + data + struct.pack("<I", _masked(crc32c(data)))


def _masked(checksum: int) -> int:
    return ((checksum >> 15 | checksum << 17) + MASK) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes.

    A checksum is linear in its data: long data is cut into lanes whose checksums NumPy computes side by side, and each
    joins the next after as many zero bytes as that is long.
    """
    lane = len(data) // LANES
    state = 0xFFFFFFFF
    if lane >= 16:
        lanes = np.frombuffer(data, np.uint8, count=lane * LANES).reshape(LANES, lane)
        shift = _after_zeros(lane)
        for part in _lane_checksums(lanes).tolist():
            state = _through(shift, state) ^ part
        data = data[lane * LANES :]
    for byte in data:
        state = int(_TABLE[(state ^ byte) & 0xFF]) ^ state >> 8
    return state ^ 0xFFFFFFFF


def _lane_checksums(lanes: Int[np.ndarray, "lanes bytes"]) -> UInt32[np.ndarray, " lanes"]:
    state = np.zeros(len(lanes), np.uint32)
    for column in np.ascontiguousarray(lanes.T):
        state = _TABLE[(state ^ column) & 0xFF] ^ state >> 8
    return state


def _table() -> UInt32[np.ndarray, "256"]:
    """What eight steps of the polynomial's division make of each byte."""
    state = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        state = np.where(state & 1, state >> 1 ^ np.uint32(POLYNOMIAL), state >> 1)
    return state


_TABLE = _table()


def _after_zeros(count: int) -> list[int]:
    """What `count` zero bytes make of each of the 32 bits of a checksum, by repeated squaring."""
    step = [int(_TABLE[bit & 0xFF]) ^ bit >> 8 for bit in (1 << i for i in range(32))]  # one zero byte
    result = [1 << i for i in range(32)]
    while count:
        if count & 1:
            result = [_through(step, value) for value in result]
        step = [_through(step, value) for value in step]
        count >>= 1
    return result


def _through(columns: list[int], value: int) -> int:
    """A 32 x 32 matrix of bits, given by its columns, times a vector of bits."""
    result = 0
    while value:
        low = value & -value
        result ^= columns[low.bit_length() - 1]
        value ^= low
    return result
