"""Small picture files and data sets that the tests write."""

import gzip
import pickle
import struct
from pathlib import Path

import cv2
import numpy as np


def picture(seed: int, *, height: int = 12, width: int = 16, channels: int = 3) -> np.ndarray:
    """A picture of noise that no other seed gives."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def write_picture(path: Path, image: np.ndarray | int) -> Path:
    """An RGB or grey picture (or the noise of a seed) as a file of the kind that its name says."""
    image = picture(image) if isinstance(image, int) else image
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, image[..., ::-1] if image.shape[-1] == 3 else image)
    assert done
    path.write_bytes(data.tobytes())
    return path


def class_folders(root: Path, counts: dict[str, int], *, first: int = 0) -> Path:
    """Folders of so many pictures each, all different; `first` is the seed of the first picture."""
    for name, count in counts.items():
        for i in range(count):
            write_picture(root / name / f"{i}.png", first)
            first += 1
    return root


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of bytes in the idx format."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def idx_folder(root: Path, *, count: int = 20, zipped: bool = False, test: int = 6) -> Path:
    """An MNIST-like folder of 5x4 pictures in two classes: picture i is of grey i and of class i mod 2."""
    root.mkdir(parents=True, exist_ok=True)
    for stem, n in (("train", count), ("t10k", test)):
        images = np.repeat(np.arange(n, dtype=np.uint8), 20).reshape(n, 5, 4)
        labels = (np.arange(n) % 2).astype(np.uint8)
        for name, array in ((f"{stem}-images-idx3-ubyte", images), (f"{stem}-labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            (root / (name + ".gz" if zipped else name)).write_bytes(gzip.compress(content) if zipped else content)
    return root


def cifar_rows(count: int) -> np.ndarray:
    """Pictures as CIFAR files them: picture i has i in its red plane, 100 in the green, and its columns in the blue."""
    planes = np.zeros((count, 3, 32, 32), np.uint8)
    planes[:, 0] = np.arange(count)[:, None, None]
    planes[:, 1] = 100
    planes[:, 2] = np.arange(32)
    return planes.reshape(count, 3072)


def cifar_binary(root: Path, *, count: int = 10, label_bytes: int = 1) -> Path:
    """CIFAR-10 (one label byte) or CIFAR-100 (two) in binary batches, a training picture of each class i mod 10."""
    root.mkdir(parents=True, exist_ok=True)
    labels = (np.arange(count, dtype=np.uint8) % 10)[:, None]
    rows = np.hstack([np.full_like(labels, 3)] * (label_bytes - 1) + [labels, cifar_rows(count)])
    names = (
        ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin") if label_bytes == 1 else ("train.bin", "test.bin")
    )
    for name in names:
        (root / name).write_bytes(rows.tobytes())
    if label_bytes == 1:
        (root / "batches.meta.txt").write_text("\n".join(f"thing{i}" for i in range(10)) + "\n\n")
    return root


def cifar_python(root: Path, *, count: int = 10) -> Path:
    """CIFAR-10 in python batches."""
    root.mkdir(parents=True, exist_ok=True)
    batch = {"batch_label": "one", "labels": [i % 10 for i in range(count)], "data": cifar_rows(count)}
    for name in ("data_batch_1", "test_batch"):
        (root / name).write_bytes(pickle.dumps(batch, protocol=2))
    (root / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"thing{i}" for i in range(10)]}, protocol=2))
    return root
