"""Run-length masks as COCO files them: runs of zeros and ones in turn, zeros first, down the columns.

Uncompressed, the runs are a list of numbers. Compressed, each run from the fourth on is written as its difference to
the run two before (neighbouring columns of an object look alike), in groups of five bits, the lowest first, each as one
printable character: 48 plus the bits, plus 32 where another group of the same number follows. The highest bit of a
number's last group is its sign. (Lin et al. 2014, "Microsoft COCO", and the format of the annotations themselves.)
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from osler.data.plain_text import shown
from osler.structures.errors import DataError

BITS = 5
FIRST_CHARACTER = 48
MORE = 1 << BITS
GROUPS = 7  # 35 bits: more than any picture has pixels

Mask = UInt8[np.ndarray, "height width"]
Counts = Int[np.ndarray, " runs"]


def encode_mask(mask: Mask) -> Counts:
    """The runs of a mask (0 or 1), which together make its area."""
    flat = np.asarray(mask, bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(flat)]])
    runs = np.diff(edges)
    return np.concatenate([[0], runs]) if len(flat) and flat[0] else runs


def decode_mask(counts: Counts | Sequence[int], height: int, width: int) -> Mask:
    """The mask (0 or 1) that runs describe.

    Raises:
        DataError: a run is negative, or they do not make height x width.
    """
    runs = checked_runs(counts, height, width)
    ink = (np.arange(len(runs)) % 2).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(ink, runs).reshape(width, height).T)


def checked_runs(counts: Counts | Sequence[int], height: int, width: int) -> Counts:
    """The runs of a mask of that size. They are judged before they are added up: a sum too large would wrap around.

    Raises:
        DataError: there are none, one is below 0, or they do not make height x width.
    """
    area = height * width
    if isinstance(counts, np.ndarray):
        assert counts.ndim == 1
        least, most = int(counts.min(initial=0)), int(counts.max(initial=0))
    elif not set(map(type, counts)) <= {int}:
        raise DataError("its runs are no list of whole numbers")
    else:
        least, most = min(counts, default=0), max(counts, default=0)
    if least < 0:
        raise DataError(f"one of its runs has {shown(least, 40)} pixels")
    if most <= area:
        runs = np.asarray(counts, np.int64)
        total = int(runs.sum(dtype=np.float64))
        if total == area:
            return runs
    else:
        total = most
    what = "one of its runs has" if most > area else "its runs make"
    raise DataError(f"{what} {shown(total, 40)} pixels, and a picture of {height} x {width} has {area}")


def compress(counts: Counts) -> str:
    """Runs as COCO's printable characters."""
    values = np.asarray(counts, np.int64).copy()
    values[3:] -= np.asarray(counts, np.int64)[1:-2]
    groups = values[:, None] >> (BITS * np.arange(GROUPS))
    # A number ends with the group after which only its sign is left, and whose highest bit says that sign.
    sign = groups[:, :] >> BITS == np.where(values < 0, -1, 0)[:, None]
    shown = (groups >> (BITS - 1) & 1) == (values < 0)[:, None]
    last = np.argmax(sign & shown, axis=1)
    place = np.arange(GROUPS)
    characters = (groups & (MORE - 1)) + FIRST_CHARACTER + np.where(place < last[:, None], MORE, 0)
    return characters[place <= last[:, None]].astype(np.uint8).tobytes().decode("ascii")


def decompress(text: str | bytes) -> Counts:
    """The runs that COCO's characters describe.

    Raises:
        DataError: a character cannot occur, or the last number does not end.
    """
    raw = text.encode("latin-1", "replace") if isinstance(text, str) else text
    codes = np.frombuffer(raw, np.uint8).astype(np.int64) - FIRST_CHARACTER
    if len(codes) == 0:
        return np.zeros(0, np.int64)
    if codes.min() < 0 or codes.max() >= 2 * MORE:
        raise DataError("its runs hold a character that does not occur in COCO's compression")
    ends = np.flatnonzero(codes & MORE == 0)
    if len(ends) == 0 or ends[-1] != len(codes) - 1:
        raise DataError("its runs end within a number")
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    if place.max() >= GROUPS + 5:
        raise DataError("its runs hold a number of more than 60 bits")
    values = np.add.reduceat((codes & (MORE - 1)) << (BITS * place), starts)
    negative = codes[ends] >> (BITS - 1) & 1 == 1
    values[negative] -= 1 << (BITS * (place[ends][negative] + 1))
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
