"""Files that are whole or not there: written beside, flushed to the disk, renamed."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from sqlite3 import DatabaseError
from typing import BinaryIO

from osler.structures.errors import DiskFullError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SPARE = 256 * 1024  # bytes free under which a failed write is put down to the disk


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Calls `write` with a file beside `path`, then renames it to `path`; on any failure `path` is as it was.

    Raises:
        DiskFullError: the disk is full; the partial file is removed.
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:
        full = disk_is_full(error, path.parent)
        beside.unlink(missing_ok=True)
        if full:
            raise disk_full(path) from None
        raise


def disk_is_full(error: BaseException, folder: Path) -> bool:
    """Whether an error came of a full disk. Libraries say so in words of their own, so the disk is asked as well."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return isinstance(error, (OSError, RuntimeError, DatabaseError)) and shutil.disk_usage(folder).free < SPARE


def disk_full(path: Path) -> DiskFullError:
    """The sentence for a person."""
    kept = "what was there before is whole" if path.exists() else "nothing half written is left"
    return DiskFullError(
        f"The disk is full: {path} could not be written; {kept}. Make room, then go on with osler train --resume."
    )


def from_home(path: str | Path) -> Path:
    """The path with `~` and `~user` as their folders; as it is where there is no such user, for it may be a file's name."""
    return Path(os.path.expanduser(path))


def write_text(path: Path, text: str) -> None:
    """A text file in UTF-8, whole or not there."""
    write_whole(path, lambda file: file.write(text.encode("utf-8")))
