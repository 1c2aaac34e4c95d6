"""The MNIST family's idx files, plain or compressed with gzip.

Format (LeCun, Cortes and Burges, "The MNIST database", section "File formats"): two zero bytes, the type of the numbers
(8: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit number, then the numbers, last
dimension fastest.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from osler.data.arrays import ArrayDataSet
from osler.data.parts import Parts
from osler.structures.errors import DataError

STEMS = {"train": "train", "test": "t10k"}


def idx_file(folder: Path, part: str, content: str) -> Path | None:
    """The file of a part's `images` or `labels`, or None: `train-images-idx3-ubyte`, or `.idx3-ubyte`, or `.gz`."""
    dimensions = {"images": 3, "labels": 1}[content]
    for joint in "-.":
        for ending in ("", ".gz"):
            path = folder / f"{STEMS[part]}-{content}{joint}idx{dimensions}-ubyte{ending}"
            if path.is_file():
                return path
    return None


def has_idx(folder: Path) -> bool:
    """Whether the folder holds training pictures in an idx file."""
    return idx_file(folder, "train", "images") is not None


def read_idx_folder(folder: Path, names: tuple[str, ...] = ()) -> Parts:
    """Training pictures and, where there are any, test pictures. Without `names` classes are called by their numbers.

    Raises:
        DataError: a file is missing, damaged, or has labels without a name.
    """
    train_images, train_labels = _read_part(folder, "train")
    count = int(train_labels.max()) + 1
    names = names or tuple(str(i) for i in range(count))
    if count > len(names):
        raise DataError(f"{folder} has label {count - 1}, but only {len(names)} classes have names.")
    parts = Parts(folder.resolve().name, "class", names, ArrayDataSet(train_images, train_labels))
    if idx_file(folder, "test", "images") is not None:
        images, labels = _read_part(folder, "test")
        if labels.max() >= len(names):
            raise DataError(
                f"{folder} has test pictures of class {labels.max()}; the training classes are 0 to {len(names) - 1}."
            )
        parts.test = ArrayDataSet(images, labels)
    return parts


def _read_part(
    folder: Path, part: str
) -> tuple[UInt8[np.ndarray, "pictures height width 1"], Int[np.ndarray, " pictures"]]:
    paths = [idx_file(folder, part, content) for content in ("images", "labels")]
    if None in paths:
        missing = f"{STEMS[part]}-labels-idx1-ubyte" if paths[0] else f"{STEMS[part]}-images-idx3-ubyte"
        raise DataError(f"{folder} lacks {missing} (plain or .gz): pictures and labels come as two files.")
    images, labels = (read_idx(path, dimensions=d) for path, d in zip(paths, (3, 1), strict=True) if path)
    if len(images) != len(labels) or len(images) == 0:
        raise DataError(
            f"{paths[0]} holds {len(images)} pictures and {paths[1]} {len(labels)} labels: "
            "both must hold as many, one or more."
        )
    return images[..., None], labels.astype(np.int64)


def read_idx(path: Path, *, dimensions: int) -> UInt8[np.ndarray, "..."]:
    """The array of bytes in an idx file.

    Raises:
        DataError: the file is no idx file of bytes with so many dimensions, is cut off, or is too long.
    """
    content = _content(path)
    head = 4 + 4 * dimensions
    if len(content) < head or content[:4] != bytes((0, 0, 8, dimensions)):
        raise DataError(
            f"{path} is no idx file with {dimensions} dimension(s) of bytes: it begins with "
            f"{content[:4].hex(' ') or 'nothing'}, where 00 00 08 {dimensions:02d} is expected."
        )
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    size = int(np.prod(shape, dtype=object))
    if len(content) - head != size:
        given = "x".join(map(str, shape))
        fault = "cut off" if len(content) - head < size else "too long"
        raise DataError(
            f"{path} is {fault}: its head promises {given} = {size} bytes and {len(content) - head} follow. "
            "Fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":  # gzip's mark: the name may say otherwise
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file ({error}). Fetch it again.") from error
