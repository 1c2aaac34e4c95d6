"""What a record of pictures holds: named lists of bytes, floats or whole numbers, as TensorFlow's tf.train.Example.

The message in protocol buffers' wire format: Example { Features features = 1 }, Features { map<string, Feature>
feature = 1 }, Feature { BytesList bytes_list = 1, FloatList float_list = 2, Int64List int64_list = 3 }, each list
{ repeated value = 1 }, numbers packed or not.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

from osler.structures.errors import DataError

Values = Sequence[bytes] | Sequence[float] | Sequence[int]
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # wire types


def write_example(features: Mapping[str, Values]) -> bytes:
    """The message that holds these features. A list's first value tells bytes, floats and whole numbers apart."""
    entries = (_field(1, name.encode()) + _field(2, _feature(values)) for name, values in features.items())
    return _field(1, b"".join(_field(1, entry) for entry in entries))


def read_example(data: bytes) -> dict[str, list[bytes] | list[float] | list[int]]:
    """The features in a message.

    Raises:
        DataError: the bytes are no such message.
    """
    try:
        entries = [dict(_fields(entry)) for _, features in _fields(data) for _, entry in _fields(features)]
        return {entry[1].decode(): _values(entry.get(2, b"")) for entry in entries}
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise DataError(f"A record holds no example (features by name): {error!r}.") from error


def _feature(values: Values) -> bytes:
    if not values:
        return b""
    if isinstance(values[0], bytes):
        return _field(1, b"".join(_field(1, bytes(v)) for v in values))  # type: ignore[arg-type]
    if isinstance(values[0], float):
        return _field(2, _field(1, struct.pack(f"<{len(values)}f", *values)))
    return _field(3, _field(1, b"".join(_varint(int(v) & 0xFFFFFFFFFFFFFFFF) for v in values)))


def _values(feature: bytes) -> list[bytes] | list[float] | list[int]:
    for kind, content in _fields(feature):
        found = [value for _, value in _fields(content)]
        if kind == 1:
            return found
        if kind == 2:
            raw = b"".join(found)
            return list(struct.unpack(f"<{len(raw) // 4}f", raw))
        numbers = [n for value in found for n in ([value] if isinstance(value, int) else _varints(value))]
        return [n - (1 << 64) if n >> 63 else n for n in numbers]
    return []


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field of a message; a whole number's content is the number itself."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        content: bytes
        if key & 7 == VARINT:
            content, at = _read_varint(data, at)  # type: ignore[assignment]
        else:
            length, at = (8, at) if key & 7 == EIGHT else (4, at) if key & 7 == FOUR else _read_varint(data, at)
            if key & 7 not in (EIGHT, FOUR, BYTES) or at + length > len(data):
                raise IndexError("a field goes beyond the end")
            content, at = data[at : at + length], at + length
        yield key >> 3, content


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _read_varint(data, at)
        yield value


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and where the next thing begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content
