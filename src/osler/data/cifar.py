"""CIFAR-10 and CIFAR-100 as published, in binary or in python batches (Krizhevsky 2009; the data set's page gives both
layouts).

Binary: a record is one label byte (CIFAR-100: coarse, then fine) and 3,072 bytes of pixels. Python: a pickled
dictionary with `data` (a row of 3,072 bytes a picture) and `labels` or `fine_labels`. Pixels: the red plane, the green,
the blue, each row by row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from osler.data.arrays import ArrayDataSet
from osler.data.parts import Parts
from osler.data.pictures import natural_key
from osler.data.plain_pickle import read_plain_pickle
from osler.structures.errors import DataError

PIXELS = 3 * 32 * 32
CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py", "cifar-100-binary", "cifar-100-python")

Batch = tuple[UInt8[np.ndarray, "pictures 3072"], Int[np.ndarray, " pictures"]]


def _read_binary(path: Path, label_bytes: int) -> Batch:
    content = np.fromfile(path, np.uint8)
    record = label_bytes + PIXELS
    if len(content) == 0 or len(content) % record:
        raise DataError(
            f"{path} is no whole CIFAR batch: its {len(content)} bytes are not a multiple of {record} "
            f"({label_bytes} of label, {PIXELS} of pixels). Fetch it again."
        )
    rows = content.reshape(-1, record)
    return rows[:, label_bytes:], rows[:, label_bytes - 1].astype(np.int64)


def _read_python(path: Path, label_key: str) -> Batch:
    content = read_plain_pickle(path)
    batch = {_text(k): v for k, v in content.items()} if isinstance(content, dict) else {}
    if not {"data", label_key} <= set(batch):
        raise DataError(f"{path} is no CIFAR batch: a dictionary with 'data' and {label_key!r} is expected.")
    pixels, labels = np.asarray(batch["data"]), np.asarray(batch[label_key], np.int64)
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape != (len(labels), PIXELS) or len(labels) == 0:
        raise DataError(
            f"{path} is no CIFAR batch: {len(labels)} rows of {PIXELS} bytes are expected, found "
            f"{pixels.shape} {pixels.dtype}."
        )
    return pixels, labels


def _read_names(path: Path, key: str) -> tuple[str, ...]:
    """Class names from a text file (a line each) or from a pickled dictionary."""
    if path.suffix == ".txt":
        return tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    content = read_plain_pickle(path)
    found = {_text(k): v for k, v in content.items()}.get(key, ()) if isinstance(content, dict) else ()
    return tuple(_text(name) for name in found)


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True, slots=True)
class Layout:
    """One of the four ways in which a CIFAR set is filed."""

    train: str  # pattern of the training batches
    test: str
    names: str
    names_key: str
    classes: int
    read: Callable[[Path], Batch]

    def fits(self, folder: Path) -> bool:
        """Whether the folder holds training batches of this layout."""
        return any(p.is_file() for p in folder.glob(self.train))


LAYOUTS = (
    Layout("data_batch_[0-9].bin", "test_batch.bin", "batches.meta.txt", "", 10, lambda p: _read_binary(p, 1)),
    Layout("data_batch_[0-9]", "test_batch", "batches.meta", "label_names", 10, lambda p: _read_python(p, "labels")),
    Layout("train.bin", "test.bin", "fine_label_names.txt", "", 100, lambda p: _read_binary(p, 2)),
    Layout("train", "test", "meta", "fine_label_names", 100, lambda p: _read_python(p, "fine_labels")),
)


def find_cifar(folder: Path) -> tuple[Path, Layout] | None:
    """The folder with the batches (this one, or one of the published names inside) and their layout, or None."""
    for place in (folder, *(folder / name for name in FOLDERS)):
        for layout in LAYOUTS:
            if layout.fits(place):
                return place, layout
    return None


def read_cifar(folder: Path) -> Parts:
    """Training and, where it is there, test pictures of CIFAR-10 or CIFAR-100 (fine classes).

    Raises:
        DataError: there are no batches, or one is damaged or refused.
    """
    found = find_cifar(folder)
    if found is None:
        expected = ", ".join(layout.train for layout in LAYOUTS)
        raise DataError(f"{folder} holds no CIFAR batches: one of {expected} is expected.")
    place, layout = found
    names = _names(place, layout)
    train = _data_set(sorted(place.glob(layout.train), key=lambda p: natural_key(p.name)), layout, names)
    parts = Parts(f"cifar{layout.classes}", "class", names, train)
    if (place / layout.test).is_file():
        parts.test = _data_set([place / layout.test], layout, names)
    return parts


def _names(place: Path, layout: Layout) -> tuple[str, ...]:
    path = place / layout.names
    if not path.is_file():
        return CIFAR10_NAMES if layout.classes == 10 else tuple(str(i) for i in range(layout.classes))
    names = _read_names(path, layout.names_key)
    if len(names) != layout.classes:
        raise DataError(f"{path} names {len(names)} classes where {layout.classes} are expected.")
    return names


def _data_set(paths: list[Path], layout: Layout, names: tuple[str, ...]) -> ArrayDataSet:
    batches = [layout.read(path) for path in paths]
    for path, (_, labels) in zip(paths, batches, strict=True):
        if labels.min() < 0 or labels.max() >= len(names):
            raise DataError(f"{path} has a label {labels.max()}; labels are 0 to {len(names) - 1}. Fetch it again.")
    pixels = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, 32, 32)
    images = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    return ArrayDataSet(images, np.concatenate([labels for _, labels in batches]))
