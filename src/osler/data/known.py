"""Public sets by name: where their files are published, under which checksums, and how they are read."""

import hashlib
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from osler.data.cifar import FOLDERS, find_cifar, read_cifar
from osler.data.digits import read_digits
from osler.data.idx import idx_file, read_idx_folder
from osler.data.objects.digits_in_the_wild import NAME, read_digits_in_the_wild
from osler.data.parts import Parts
from osler.structures.download import RemoteFile, cache_folder, fetch
from osler.structures.errors import DataError
from osler.structures.files import write_whole
from osler.structures.registry import unknown

MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
CIFAR = "https://www.cs.toronto.edu/~kriz/"


@dataclass(frozen=True, slots=True)
class KnownSet:
    """A public data set: its files, and class names where the files bring none."""

    files: tuple[RemoteFile, ...]
    names: tuple[str, ...] = ()


KNOWN = {
    "mnist": KnownSet(
        (
            RemoteFile(MNIST + "train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            RemoteFile(MNIST + "train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
            RemoteFile(MNIST + "t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
            RemoteFile(MNIST + "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
    ),
    "fashion-mnist": KnownSet(
        (
            RemoteFile(FASHION + "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            RemoteFile(FASHION + "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
            RemoteFile(FASHION + "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
            RemoteFile(FASHION + "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "cifar10": KnownSet((RemoteFile(CIFAR + "cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),)),
    "cifar100": KnownSet((RemoteFile(CIFAR + "cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),)),
}


def read_known(name: str) -> Parts:
    """A public set by name, downloaded to the cache the first time.

    Raises:
        DataError: there is no such set, or it cannot be downloaded or read.
    """
    if name == "digits":
        return read_digits()
    if name == NAME:
        return read_digits_in_the_wild()
    if name not in KNOWN:
        raise DataError(unknown("public data set", name, known_names()))
    return read_remote(name, KNOWN[name], cache_folder() / name)


def known_names() -> list[str]:
    """The names of the sets that need no path."""
    return sorted(["digits", NAME, *KNOWN])


def read_remote(name: str, known: KnownSet, folder: Path) -> Parts:
    """The set in `folder`, fetched there where it is missing."""
    if find_cifar(folder):  # unpacked before
        parts = read_cifar(folder)
    else:
        paths = [fetch(remote, folder) for remote in known.files]
        archives = [path for path in paths if path.name.endswith(".tar.gz")]
        for archive in archives:
            unpack(archive, folder)
        parts = read_cifar(folder) if archives else read_idx_folder(folder, known.names)
    parts.name = name
    return parts


def unpack(archive: Path, folder: Path) -> None:
    """The files of a CIFAR archive, each under its published folder; links, devices and paths that lead elsewhere are
    not taken.

    Raises:
        DataError: the archive is damaged.
    """
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                where = Path(member.name)
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None and len(where.parts) == 2 and where.parts[0] in FOLDERS and where.name != "..":
                    write_whole(folder / where, lambda file, content=content: file.write(content.read()))  # type: ignore[misc]
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{archive} is damaged or cannot be unpacked to {folder} ({error}). Remove it and try again."
        ) from error


def recognised_names(folder: Path) -> tuple[str, ...]:
    """Class names of idx files that are a known set's, told by the checksum of their training labels; () for others."""
    path = idx_file(folder, "train", "labels")
    if path is None:
        return ()
    checksum = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return next((known.names for known in KNOWN.values() for file in known.files if file.checksum == checksum), ())
