"""A folder in which a script can be tried: a copy of where it stands, from which the originals cannot be written to."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LARGEST_FOLDER = 64 * 2**20  # bytes that are copied; what is larger is linked
WEIGHTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")  # copied at any size: programs write over these past Python
MOST_ENTRIES = 2_000  # of a folder that is copied name by name; a larger one is linked whole
LEFT_OUT = ("__pycache__", "node_modules")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = (
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
    "os.chmod",
    "os.link",
    "os.symlink",
    "os.mkdir",
    "os.utime",
)


def root_of(script: Path) -> Path:
    """The folder that is copied: where one stands, if the script lies below it; else the script's own."""
    folder, here = script.resolve().parent, Path.cwd().resolve()
    if here in (folder, *folder.parents) and here not in (Path(here.anchor), Path.home().resolve()):
        return here
    return folder


@contextmanager
def scratch_beside(root: Path) -> Iterator[Path]:
    """A copy of a folder beside it, so that paths such as `../data` mean the same; removed at the end.

    Large files are links to the originals. Where nothing can be written beside it, the copy is in the system's place
    for such things.
    """
    try:
        place = Path(tempfile.mkdtemp(prefix=".osler-trial-", dir=root.parent))
    except OSError:
        place = Path(tempfile.mkdtemp(prefix="osler-trial-"))
    try:
        _copy(root, place, LARGEST_FOLDER)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _copy(folder: Path, place: Path, left: int) -> int:
    """Copies what is small, the files of a folder before its folders; returns how many bytes may still be copied."""
    for entry in sorted(folder.iterdir(), key=lambda e: (e.is_dir(), e.name)):
        goal = place / entry.name
        if entry.name.startswith(".") or entry.name in LEFT_OUT:
            continue
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            goal.symlink_to(entry.resolve())
        elif entry.is_dir():
            if _is_large(entry):
                goal.symlink_to(entry)
            else:
                goal.mkdir()
                left = _copy(entry, goal, left)
        elif entry.stat().st_size <= left or entry.suffix in WEIGHTS:
            left -= entry.stat().st_size
            shutil.copy2(entry, goal)
        else:
            goal.symlink_to(entry)
    return left


def _is_large(folder: Path) -> bool:
    return any(number >= MOST_ENTRIES for number, _ in enumerate(os.scandir(folder)))


def keep_out_of(root: Path, place: Path) -> None:
    """From here on this process cannot write, remove or rename what lies outside of `place` and was there before.

    New files in other folders than `root`, and all in the system's temporary and in hidden folders (caches), are left
    alone. There is no way back: it is for a process that ends with the trial.
    """
    guard = _Guard(os.path.realpath(root), os.path.realpath(place), os.path.realpath(tempfile.gettempdir()))
    sys.addaudithook(guard)


class _Guard:
    """An audit hook (PEP 578): raises where a file is about to be changed that is not this trial's."""

    def __init__(self, root: str, place: str, temporary: str) -> None:
        self._root, self._place, self._temporary = root, place, temporary

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = any(c in mode for c in "wax+") if isinstance(mode, str) else bool(int(flags or 0) & WRITING)
            if writes:
                self._check(path)
        elif event in CHANGING:
            for path in arguments[:2]:
                self._check(path)

    def _check(self, path: Any) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        real = os.path.realpath(os.fsdecode(path))
        if _below(real, self._place):
            return
        if _below(real, self._root):
            raise PermissionError(f"A trial does not write to the program's own files: {real}")
        if os.path.isfile(real) and not _below(real, self._temporary) and not _hidden(real):
            raise PermissionError(f"A trial does not write over files that are there: {real}")


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split(os.sep)[:-1])


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
