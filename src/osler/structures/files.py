"""Files that are whole or not there: written beside, flushed to the disk, renamed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Calls `write` with a file beside `path`, then renames it to `path`; on any failure `path` is as it was.

    Raises:
        OSError: the disk is full or the folder cannot be written; the partial file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """A text file in UTF-8, whole or not there."""
    write_whole(path, lambda file: file.write(text.encode("utf-8")))
