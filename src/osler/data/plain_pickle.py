"""Pickles read as data: dictionaries, lists, numbers, text, bytes and NumPy arrays. Nothing that a pickle names is ever
called.

A pickle is a program: it may name any function of any module and have it called. This reader answers the few names that
an array needs with small classes of its own and refuses every other name before anything is imported.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from osler.structures.errors import DataError

NUMBER_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "b1")


def read_plain_pickle(path: Path) -> Any:
    """What a pickle of plain data and arrays holds. Text of Python 2 comes as str, byte for byte (latin-1).

    Raises:
        DataError: the file is damaged, or asks for anything that is not plain data; nothing of it was executed.
    """
    try:
        with open(path, "rb") as file:
            return _settle(_PlainUnpickler(file, encoding="latin1").load())
    except _RefusedError as error:
        raise DataError(
            f"{path} was refused: its pickle asks for {error}, which plain arrays and labels do not need. "
            "Nothing of it was executed. Fetch the file from where it was published."
        ) from error
    except Exception as error:  # a damaged pickle fails in as many ways as there are opcodes
        raise DataError(f"{path} is no readable pickle ({type(error).__name__}: {error}). Fetch it again.") from error


class _RefusedError(Exception):
    """The pickle asked for a name that is not allowed."""


class _Dtype:
    """Stands for numpy.dtype: keeps the letter and width, and the byte order that the state brings."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code.lstrip("<>=|"), "="
        if self.code not in NUMBER_TYPES:
            raise _RefusedError(f"an array of {code!r}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def settle(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Array:
    """Stands for numpy.ndarray: keeps what the state brings until the array is made."""

    def __init__(self) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def settle(self) -> np.ndarray:
        _, shape, dtype, fortran, raw = self.state
        content = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        return np.frombuffer(content, dtype.settle()).reshape(shape, order="F" if fortran else "C")


def _reconstruct(kind: object, *_: object) -> _Array:
    if kind is not _Array:
        raise _RefusedError("an array of an unknown class")
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    """Bytes as Python 3 writes them for Python 2."""
    if encoding != "latin1":
        raise _RefusedError(f"the encoding {encoding!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _RefusedError(f"{module}.{name}")
        return _ALLOWED[module, name]


def _settle(value: Any) -> Any:
    """The value with arrays in the place of their stand-ins."""
    if isinstance(value, _Array):
        return value.settle()
    if isinstance(value, dict):
        return {_settle(k): _settle(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_settle(v) for v in value)
    return value
